//! etcd at work, and drilled.

mod changes;
mod fixture;
mod gateway;
mod leases;
mod reaching;
mod round_trip;
mod tls;
mod unrestorable;
mod users;
