//! Buffers of a segment's size that are used again. Allocating and freeing such large ones over and over leaves the allocator
//! with several times the memory that is in use.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Plain bytes of one segment.
pub const SEGMENT_BYTES: usize = 16 << 20;

/// What sealing adds to a segment that doesn't compress, and some room for recipients.
const ROOM: usize = 64 << 10;

/// Buffers that are free. Clones share them; how many there are is bounded by how many were ever in use at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// An empty buffer with room for a segment, sealed or plain.
    pub(crate) fn take(&self) -> Vec<u8> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES + ROOM))
    }

    /// Gives the memory of free buffers back, for who will need no segments any more. Between stages they are better kept: once such a
    /// large piece was freed, the allocator takes the next ones from memory that it never gives back.
    pub(crate) fn trim(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What a buffer holds, as bytes that are shared; when the last of them is dropped, it is free again.
    pub(crate) fn share(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Shared { bytes, home: self.clone() })
    }
}

struct Shared {
    bytes: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_the_last_share_of_it_is_gone() {
        let buffers = Buffers::default();
        let mut first = buffers.take();
        first.push(7);
        let address = first.as_ptr();
        let shared = buffers.share(first);
        let part = shared.slice(..1);
        drop(shared);
        let second = buffers.take();
        assert_ne!(second.as_ptr(), address, "still in use");
        assert_eq!(part[0], 7);
        drop(part);
        let third = buffers.take();
        assert_eq!((third.as_ptr(), third.len()), (address, 0));
        drop(buffers.share(third));
        buffers.trim();
        assert!(buffers.free.lock().expect("not poisoned").is_empty(), "given back");
    }
}
