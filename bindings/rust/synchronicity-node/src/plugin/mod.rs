//! Plugins: what a sandbox, a signer, a source or a storage for nodes is, in Rust.
//!
//! A program registers one in its own process (`Registry::add`), or a shared object is one
//! ([`sync_plugin!`](crate::sync_plugin)). A configuration then chooses it by its name: `sandbox = "my-sandbox"`.
//!
//! Every method runs on a thread of the runtime's own that may block, and calls overlap, of one instance too. It
//! answers by what it returns, which is checked like anything that comes from outside. Each call has a deadline:
//! behind it the call fails without the plugin, and [`Call::is_cancelled`] says so.
//!
//! Call threads block all signals, and so does a process that is started on one: [`unblock_signals`] helps.

mod call;
mod export;
mod sandbox;
mod serve;
mod signer;
mod source;
mod storage;
mod table;

pub use call::{Call, Failure, FailureCode};
#[doc(hidden)]
pub use export::Export;
pub use sandbox::{unblock_signals, Ending, Finding, Mount, RunRequest, RunResult, Sandbox, Transcript};
pub use signer::{KeyRole, Signer};
pub use source::{FetchRequest, ResolveRequest, Source};
pub use storage::{Change, Records, ScanRequest, Storage};
pub use table::{CreateRequest, Plugin};

#[cfg(feature = "node")]
pub(crate) use serve::{guarded, is_inside, set_host, Inside};
#[cfg(feature = "node")]
pub(crate) use table::{is_known, registered};
