//! The PostgreSQL source and scratch together, on real servers.

mod changes;
mod fixture;
mod jobs;
mod physical;
mod reaching;
mod release;
mod round_trip;
mod tls;
mod under_load;
