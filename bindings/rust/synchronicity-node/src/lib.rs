//! A whole builder in your process: libsync for Rust.
//!
//! ```no_run
//! # #[cfg(feature = "node")]
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use synchronicity_node::{Node, Phase, SubmitRequest, FOREVER};
//!
//! let node = Node::load("alder/config.toml")?;
//! node.start()?;
//! let job = node.submit(&SubmitRequest::new("pkg:cargo/itoa@1.0.1"), Duration::from_secs(600))?;
//! node.wait(&job, Phase::Cosigned, FOREVER)?;
//! std::fs::write("itoa.tlog-proof", node.proof(&job)?)?;
//! # Ok(())
//! # }
//! ```
//!
//! | you want | you use |
//! |---|---|
//! | a builder | [`Node`], made by [`Node::load`] or a [`NodeBuilder`] |
//! | what happens in it | [`Events`], an iterator, or [`Node::on_event`] |
//! | plugins of your own in it | a [`Registry`] of [`Plugin`]s |
//! | a sandbox, a signer, a source, a storage | the traits [`Sandbox`], [`Signer`], [`Source`], [`Storage`] |
//! | to know, in a test, whether one is right | [`Registry::check`] |
//! | a plugin as a shared object | [`sync_plugin!`], and this crate without its default features |
//!
//! Timeouts are [`Duration`](std::time::Duration)s: zero looks and returns, `FOREVER` waits. Calls that wait block
//! their own thread alone. After `fork` a child may use nothing of this crate.
//!
//! A method of a plugin answers by what it returns, once. One that panics fails its call, as long as the program is
//! not built with `panic = "abort"`.

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![warn(missing_debug_implementations)]

pub mod plugin;
mod text;

#[cfg(feature = "node")]
mod check;
#[cfg(feature = "node")]
mod error;
#[cfg(feature = "node")]
mod events;
#[cfg(feature = "node")]
mod jobs;
#[cfg(feature = "node")]
mod node;
#[cfg(feature = "node")]
mod registry;
#[cfg(feature = "node")]
mod status;

pub use plugin::{Call, Failure, FailureCode, Plugin, Sandbox, Signer, Source, Storage};

#[cfg(feature = "node")]
pub use {
    check::{CheckOptions, CheckReport},
    error::{Code, Error},
    events::{Event, EventKind, Events, Watch},
    jobs::{JobStatus, Phase, SubmitRequest},
    node::{LogLevel, Node, NodeBuilder, FOREVER},
    registry::Registry,
    status::{NodeState, NodeStatus},
    synchronicity::{self, Sha256Digest, Verdict},
};

/// The raw declarations, for what this crate does not have.
pub use synchronicity_node_sys as sys;
