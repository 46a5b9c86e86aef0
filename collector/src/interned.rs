//! A small cache of values that are made from their key.

use std::{borrow::Borrow, hash::Hash};

use rustc_hash::FxHashMap;

/// Values by key. A full cache is emptied: values in use are made again at once.
///
/// A cache that evicts by use costs instructions on every hit, and each event has several hits.
#[derive(Debug)]
pub(crate) struct Interned<K, V> {
    values: FxHashMap<K, V>,
    capacity: usize,
}

impl<K: Hash + Eq, V: Clone> Interned<K, V> {
    /// An empty cache.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { values: FxHashMap::default(), capacity }
    }

    /// The cached value.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.values.get(key).cloned()
    }

    /// Adds a value.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.values.len() >= self.capacity {
            self.values.clear();
        }
        self.values.insert(key, value);
    }

    /// The cached value; if there is none, `make` makes it.
    pub(crate) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce(&K) -> V) -> V {
        if let Some(value) = self.get(&key) {
            return value;
        }
        let value = make(&key);
        self.insert(key, value.clone());
        value
    }

    /// Empties the cache.
    pub(crate) fn clear(&mut self) {
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Interned;

    #[test]
    fn a_cached_value_is_not_made_again_and_a_full_cache_is_emptied() {
        let mut interned = Interned::new(2);
        assert_eq!(interned.get_or_insert_with(1, |key| key * 10), 10);
        assert_eq!(interned.get_or_insert_with(1, |_| unreachable!("it is cached")), 10);
        interned.insert(2, 20);
        interned.insert(3, 30);
        assert_eq!((interned.get(&1), interned.get(&3)), (None, Some(30)));
    }
}
