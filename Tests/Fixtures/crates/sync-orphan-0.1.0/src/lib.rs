pub use sync_absent::nothing;
