//! Trees that change while they are read.
