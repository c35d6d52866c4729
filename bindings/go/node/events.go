package node

// #include "bridge.h"
import "C"

import (
	"context"
	"math"
)

// EventKind is what an event tells of; new kinds may appear.
type EventKind int32

const (
	EventOrdered      EventKind = C.SYNC_EVENT_ORDERED
	EventCommitted    EventKind = C.SYNC_EVENT_COMMITTED
	EventAbstained    EventKind = C.SYNC_EVENT_ABSTAINED
	EventRevealing    EventKind = C.SYNC_EVENT_REVEALING
	EventRevealed     EventKind = C.SYNC_EVENT_REVEALED
	EventVerdict      EventKind = C.SYNC_EVENT_VERDICT      // Number is the Verdict
	EventLogged       EventKind = C.SYNC_EVENT_LOGGED       // Number is the leaf's index
	EventCosigned     EventKind = C.SYNC_EVENT_COSIGNED     // what has an index below Number can be proven
	EventMisbehaviour EventKind = C.SYNC_EVENT_MISBEHAVIOUR // Text is the member, whose statements contradict each other
	EventEpochEnded   EventKind = C.SYNC_EVENT_EPOCH_ENDED  // Number is the epoch that is over
	EventFault        EventKind = C.SYNC_EVENT_FAULT        // the node ends by itself; Text says why
)

// String returns the kind's word, such as "committed".
func (k EventKind) String() string {
	words := [...]string{"unknown", "ordered", "committed", "abstained", "revealing", "revealed", "verdict", "logged",
		"cosigned", "misbehaviour", "epoch ended", "fault"}
	if k < 0 || int(k) >= len(words) {
		return words[0]
	}
	return words[k]
}

// Event is something that happened.
type Event struct {
	Kind    EventKind
	Dropped uint64 // events that were dropped just before this one, since nobody took them
	Number  uint64
	Job     Digest // zero where the event is about none
	Text    string // the builder, package or member, or why
}

// Events subscribes, in any state of the node. The channel is closed when the node has ended, or soon after the context
// has; what waits in it can still be taken. capacity, 1 to 65,536, is how many events wait at most; of more, the newest
// are dropped and counted, so that who does not read holds up nothing.
func (n *Node) Events(ctx context.Context, capacity int) (<-chan Event, error) {
	if capacity < 0 || capacity > math.MaxUint32 {
		return nil, refuse(CodeOutOfRange, "the capacity is %d; 1 to 65536 events can wait", capacity)
	}
	raw, err := n.use()
	if err != nil {
		return nil, err
	}
	defer n.release()
	var created *C.sync_events
	var failure *C.sync_error
	status := C.sync_node_subscribe(raw, C.uint32_t(capacity), &created, &failure)
	if err := takeError(status, failure); err != nil {
		return nil, err
	}
	events := make(chan Event, capacity)
	go pump(ctx, created, events)
	return events, nil
}

// pump takes what C has, and drops what does not fit.
func pump(ctx context.Context, raw *C.sync_events, events chan<- Event) {
	defer C.sync_events_destroy(raw)
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ctx.Done():
			C.sync_events_close(raw)
		case <-ended:
		}
	}()
	defer func() {
		close(ended)
		<-watched
		close(events)
	}()
	var dropped uint64
	for {
		found := C.sync_event{struct_size: C.sizeof_sync_event, abi_version: C.SYNC_ABI_VERSION}
		var failure *C.sync_error
		if takeError(C.sync_events_next(raw, C.SYNC_FOREVER, &found, &failure), failure) != nil {
			return
		}
		dropped += uint64(found.dropped)
		event := Event{
			Kind: EventKind(found.kind), Dropped: dropped, Number: uint64(found.number), Text: C.GoString(&found.text[0]),
		}
		for i := range event.Job {
			event.Job[i] = byte(found.job[i])
		}
		select {
		case events <- event:
			dropped = 0
		default:
			dropped++
		}
	}
}
