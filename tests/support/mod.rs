//! A small world to run drillctl in: a folder of its own with state, vault, identity and input, and the real servers a test
//! asks for.

mod archived;
mod barman;
mod engine;
mod etcd;
mod mariadb;
mod must;
mod newer;
mod postgres;
mod redis;
mod s3;
mod tools;
mod wordpress;
mod world;

pub use archived::Archived;
pub use barman::{Barman, damage};
pub use engine::Engine;
pub use etcd::EtcdServer;
pub use mariadb::{Mariadb, bin as mariadb_bin};
pub use must::must;
pub use newer::newer_postgres;
pub use postgres::Cluster;
pub use redis::RedisServer;
pub use s3::Bucket;
pub use tools::Repository;
pub use wordpress::{PICTURE, wordpress};
pub use world::{Finished, World, check, files_below};
