//! A storage in memory, which is lost with its process: for trying things out. A builder that has signed must not lose
//! its journal.
//!
//! As a shared object: `cargo build --package synchronicity-node --no-default-features --example map`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use synchronicity_node::plugin::{Call, Change, CreateRequest, Failure, Records, ScanRequest, Storage};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// By the folder that each is given, so that opening again finds the same.
static MAPS: Mutex<Vec<(PathBuf, Arc<Mutex<Entries>>)>> = Mutex::new(Vec::new());

pub struct Map(Arc<Mutex<Entries>>);

impl Map {
    pub fn make(request: &CreateRequest<'_>) -> Result<Self, Failure> {
        let mut maps = MAPS.lock().unwrap();
        if let Some((_, entries)) = maps.iter().find(|(folder, _)| folder == request.state_directory) {
            return Ok(Map(entries.clone()));
        }
        let entries = Arc::default();
        maps.push((request.state_directory.to_path_buf(), Arc::clone(&entries)));
        Ok(Map(entries))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap()
    }
}

impl Storage for Map {
    fn get(&self, key: &[u8], _: &Call<'_>) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.entries().get(key).cloned())
    }

    fn scan(&self, request: &ScanRequest<'_>, records: &mut Records<'_>, _: &Call<'_>) -> Result<(), Failure> {
        let entries = self.entries();
        let first = request.prefix.max(request.start).to_vec();
        let found = entries.range(first..).take_while(|(key, _)| key.starts_with(request.prefix));
        for (key, value) in found.take(usize::try_from(request.limit).unwrap_or(usize::MAX)) {
            if !records.add(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, changes: &[Change<'_>], _durable: bool, _: &Call<'_>) -> Result<(), Failure> {
        let mut entries = self.entries();
        for change in changes {
            match change.value {
                Some(value) => entries.insert(change.key.to_vec(), value.to_vec()),
                None => entries.remove(change.key),
            };
        }
        Ok(())
    }
}

#[cfg(not(test))]
synchronicity_node::sync_plugin!(synchronicity_node::Plugin::storage("map", "1", Map::make));
