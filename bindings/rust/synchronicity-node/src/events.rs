use std::ffi::CStr;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use synchronicity::Sha256Digest;
use synchronicity_node_sys as sys;

use crate::node::{nanoseconds, FOREVER};
use crate::{Code, Error};

/// What kind of thing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A job has begun.
    Ordered,
    /// A builder has committed to an outcome.
    Committed,
    /// A builder has no outcome.
    Abstained,
    /// Builders open their commitments from here on.
    Revealing,
    /// A builder has opened its commitment.
    Revealed,
    /// The number is the verdict's: [`Verdict::from_number`](crate::Verdict::from_number).
    Verdict,
    /// The number is the leaf's index.
    Logged,
    /// The number is the tree's size: what has an index below can be proven.
    Cosigned,
    /// The text is the member, in whose name statements contradict each other.
    Misbehaviour,
    /// The number is the epoch that is over.
    EpochEnded,
    /// The node ends by itself; the text says why.
    Fault,
    /// A number that is newer than this crate.
    Unknown(i32),
}

impl EventKind {
    fn from_number(number: i32) -> Self {
        match number {
            sys::SYNC_EVENT_ORDERED => EventKind::Ordered,
            sys::SYNC_EVENT_COMMITTED => EventKind::Committed,
            sys::SYNC_EVENT_ABSTAINED => EventKind::Abstained,
            sys::SYNC_EVENT_REVEALING => EventKind::Revealing,
            sys::SYNC_EVENT_REVEALED => EventKind::Revealed,
            sys::SYNC_EVENT_VERDICT => EventKind::Verdict,
            sys::SYNC_EVENT_LOGGED => EventKind::Logged,
            sys::SYNC_EVENT_COSIGNED => EventKind::Cosigned,
            sys::SYNC_EVENT_MISBEHAVIOUR => EventKind::Misbehaviour,
            sys::SYNC_EVENT_EPOCH_ENDED => EventKind::EpochEnded,
            sys::SYNC_EVENT_FAULT => EventKind::Fault,
            unknown => EventKind::Unknown(unknown),
        }
    }
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Of what kind it is.
    pub kind: EventKind,
    /// `None` where the event is about none.
    pub job: Option<Sha256Digest>,
    /// What it is depends on the kind.
    pub number: u64,
    /// The builder, package or member, or why.
    pub text: String,
    /// Events that were dropped just before this one, since nobody took them.
    pub dropped: u32,
}

impl Event {
    fn from_raw(raw: &sys::sync_event) -> Self {
        Self {
            kind: EventKind::from_number(raw.kind),
            job: if raw.job == [0; 32] { None } else { Some(Sha256Digest(raw.job)) },
            number: raw.number,
            // The library ends the text with a NUL, cut to fit.
            text: unsafe { CStr::from_ptr(raw.text.as_ptr()) }.to_string_lossy().into_owned(),
            dropped: raw.dropped,
        }
    }
}

/// One subscription: the events since it was made. As an iterator it waits for each, and ends when the node has ended.
///
/// Several threads may take from one, by iterating over `&Events`; each event goes to one of them. It may outlive its
/// node.
pub struct Events {
    raw: NonNull<sys::sync_events>,
}

// Its functions may be called on any thread at any time, but for its end, which `Drop` has alone.
unsafe impl Send for Events {}
unsafe impl Sync for Events {}

impl Events {
    pub(crate) fn new(raw: NonNull<sys::sync_events>) -> Self {
        Self { raw }
    }

    /// Takes the oldest event. [`Code::TimedOut`] when none came, [`Code::State`] when the node has ended, or the
    /// subscription was closed, and none is left.
    pub fn next_timeout(&self, timeout: Duration) -> Result<Event, Error> {
        let mut raw = sys::sync_event::new();
        Error::check(|error| unsafe {
            sys::sync_events_next(self.raw.as_ptr(), nanoseconds(timeout), &mut raw, error)
        })?;
        Ok(Event::from_raw(&raw))
    }

    /// Ends the subscription: what waits in it can still be taken, and whoever waits for more hears of the end.
    pub fn close(&self) {
        unsafe { sys::sync_events_close(self.raw.as_ptr()) }
    }
}

impl Iterator for &Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            match self.next_timeout(FOREVER) {
                Ok(event) => return Some(event),
                Err(error) if error.code() == Code::TimedOut => continue,
                Err(_) => return None,
            }
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        (&mut &*self).next()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        unsafe { sys::sync_events_destroy(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Events").finish_non_exhaustive()
    }
}

/// A function that gets events, on a thread of its own. Dropping it ends the subscription and does not wait for the
/// function; [`Watch::join`] does.
pub struct Watch {
    events: Arc<Events>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn new(events: Events, mut function: impl FnMut(Event) + Send + 'static) -> Result<Self, Error> {
        let events = Arc::new(events);
        let taken = events.clone();
        let thread = thread::Builder::new()
            .name("sync-events".to_string())
            .spawn(move || (&*taken).for_each(&mut function))
            .map_err(|error| Error::new(Code::Unavailable, format!("No thread can be started: {}", error)))?;
        Ok(Self { events, thread: Some(thread) })
    }

    /// Ends the subscription.
    pub fn close(&self) {
        self.events.close();
    }

    /// Waits until the node has ended, or the subscription was closed, and the function has had every event. An error
    /// is what the function panicked with.
    pub fn join(mut self) -> thread::Result<()> {
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.events.close();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watch").finish_non_exhaustive()
    }
}
