//! Says which of its features are on.

pub const STD: bool = cfg!(feature = "std");
pub const LOUD: bool = cfg!(feature = "loud");
