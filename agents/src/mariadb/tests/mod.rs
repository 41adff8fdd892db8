//! The MariaDB source and scratch together, on real servers.

mod changes;
mod fixture;
mod reaching;
mod release;
mod round_trip;
mod tls;
mod under_load;
