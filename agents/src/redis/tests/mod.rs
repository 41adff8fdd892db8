//! Real servers, captured and restored. Redis is needed: `tests/install test` installs it.

mod changes;
mod expiry;
mod fixture;
mod forms;
mod reaching;
mod round_trip;
mod tls;
mod unrestorable;
