//! A bounded memory of what was decided.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// Most entries. What is forgotten is decided anew by its next event.
const ENTRIES: usize = 1 << 16;

/// A map that forgets its oldest entries.
#[derive(Clone, Debug)]
pub(super) struct Recent<K, V> {
    entries: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.entries.insert(key, value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > ENTRIES
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, Recent};

    #[test]
    fn the_oldest_entry_makes_room_for_the_newest() {
        let mut recent = Recent::default();
        for number in 0..=ENTRIES {
            recent.insert(number, ());
        }
        assert_eq!((recent.entries.len(), recent.order.len()), (ENTRIES, ENTRIES));
        assert!(recent.get(&0).is_none() && recent.get(&ENTRIES).is_some());
    }
}
