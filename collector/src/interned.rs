//! A cache of small values by key, for parts that many events share.

use std::{borrow::Borrow, hash::Hash};

use quick_cache::{
    UnitWeighter,
    unsync::{Cache, DefaultLifecycle},
};
use rustc_hash::FxBuildHasher;

/// Values by key. A full cache evicts values that were not used lately.
#[derive(Debug)]
pub(crate) struct Interned<K, V> {
    values: Cache<K, V, UnitWeighter, FxBuildHasher>,
}

impl<K: Hash + Eq, V: Clone> Interned<K, V> {
    /// An empty cache.
    pub(crate) fn new(capacity: usize) -> Self {
        let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
        let values = Cache::with(capacity, weight, UnitWeighter, FxBuildHasher, DefaultLifecycle::default());
        Self { values }
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

    /// The number of cached values.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Interned;

    #[test]
    fn a_cached_value_is_not_made_again_and_a_full_cache_evicts() {
        let mut interned = Interned::new(2);
        assert_eq!(interned.get_or_insert_with(1, |key| key * 10), 10);
        assert_eq!(interned.get_or_insert_with(1, |_| unreachable!("it is cached")), 10);
        for key in 2..100 {
            interned.insert(key, key * 10);
        }
        assert!(interned.len() <= 2, "{}", interned.len());
    }
}
