//! Byte buffers that come back when their batch is dropped. glibc sorts its whole free list for each allocation of this size,
//! so the thread that makes the events must not allocate one for every batch.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

/// Free buffers, shared with the buffers that are in use.
#[derive(Clone, Debug)]
pub(super) struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    capacity: usize,
}

/// Most free buffers that are kept. More are in use only while an output is slow.
const FREE_MAX: usize = 16;

impl Buffers {
    /// Of buffers with this capacity.
    pub(super) fn new(capacity: usize) -> Self {
        Self { free: Arc::default(), capacity }
    }

    /// An empty buffer.
    pub(super) fn take(&self) -> Buffer {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer { bytes: free.unwrap_or_else(|| Vec::with_capacity(self.capacity)), home: self.clone() }
    }
}

/// Bytes that go back to their [`Buffers`] when they are dropped, on any thread.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = mem::take(&mut self.bytes);
        bytes.clear();
        // A giant line must not keep its memory.
        bytes.shrink_to(self.home.capacity);
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < FREE_MAX {
            free.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Buffers;

    #[test]
    fn a_dropped_buffer_is_used_again_and_a_giant_one_shrinks() {
        let buffers = Buffers::new(100);
        let mut buffer = buffers.take();
        buffer.bytes_mut().resize(1000, 7);
        drop(buffer);
        let again = buffers.take();
        assert_eq!((again.bytes().len(), again.bytes.capacity()), (0, 100));
    }
}
