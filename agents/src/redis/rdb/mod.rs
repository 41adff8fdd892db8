//! The RDB format, read as it passes: what stands in it one after the other, each key with what is in it as a fingerprint that
//! doesn't depend on how the server stores it.
//!
//! The format is told by `src/rdb.h`, `src/rdb.c`, `src/listpack.c`, `src/ziplist.c` and `src/intset.c` of Redis 7, BSD-3-Clause.

mod input;
mod intset;
mod listpack;
mod lzf;
mod slice;
mod stream;
mod value;
mod walk;
mod ziplist;

pub(crate) use value::Value;
pub(crate) use walk::{Key, Rdb, Record};
