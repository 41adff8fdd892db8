//! Drills of a real Redis.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Finished, RedisServer, World, check};

/// The example scenario in a world of its own, with the scratch's server program in place of the usual one.
fn example(world: &World, program: Option<&Path>) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/redis.yaml"));
    let text = text.expect("the example").replace("../target/drill/", "");
    let scratch = program.map_or("redis: {}".into(), |program| format!("redis: {{program: {}}}", program.display()));
    world.write("scenario.yaml", text.replace("redis: {}", &scratch));
}

fn drill(world: &World, server: &RedisServer) -> (Finished, Value) {
    let mut command = world.command(&["run", "scenario.yaml", "--json"]);
    command.env("DRILL_REDIS_URL", server.url());
    let finished = world.finish(command);
    let record = serde_json::from_str(&finished.stdout);
    let record = record.unwrap_or_else(|error| panic!("no record ({error}): {}\n{}", finished.stdout, finished.stderr));
    (finished, record)
}

/// A server program that changes the data after it was loaded, and before anybody looks at it.
fn meddling(world: &World, command: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || exec redis-server --version\n\
         cp dump.rdb meddled.rdb\n\
         redis-server --port 0 --unixsocket m.sock --dbfilename meddled.rdb --save '' >/dev/null &\n\
         until [ \"$(redis-cli -s m.sock ping 2>/dev/null)\" = PONG ]; do sleep 0.02; done\n\
         for each in \"{command}\" save; do redis-cli -e -s m.sock $each >/dev/null || exit 1; done\n\
         redis-cli -s m.sock shutdown nosave; wait\n\
         exec redis-server \"$@\" --dbfilename meddled.rdb\n"
    );
    world.script("meddle", &script)
}

#[test]
fn a_million_keys_of_all_types_are_drilled_with_an_index_that_stays_small() {
    let server = RedisServer::start();
    server.fill(1_000_000);
    let world = World::new();
    example(&world, None);
    let (finished, record) = drill(&world, &server);
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert_eq!(record["backup"]["content"]["keys"], 1_000_000, "{}", record["backup"]);
    let content = check(&record, "content");
    assert_eq!(content["observed"], "redis: 1,000,000 keys in 1 database, 100,000 of which expire", "{content}");
    assert_eq!(check(&record, "canary")["outcome"], "passed");
    assert!(record["measurements"]["recovery_point_secs"].as_f64().is_some_and(|secs| secs < 60.0), "{record:#}");
    assert_eq!(server.send(&["DBSIZE"]), "1000000", "the canary is gone");
    let index = fs::metadata(world.newest_snapshot().join("index.age")).expect("an index").len();
    assert!(index < 512 << 10, "the index of a million keys has {index} bytes");
    assert!(world.leftovers().is_empty());
}

#[test]
fn each_kind_of_damage_fails_the_drill_with_words_that_name_it() {
    let server = RedisServer::start();
    server.fill(1000);
    let world = World::new();
    for (damage, named, said) in [
        ("del string:11", "key:0:string:11", "is missing"),
        ("set string:11 x", "key:0:string:11", "holds another value"),
        ("persist session:24", "key:0:session:24", "expires never, was 20"),
        ("set hash:15 x", "key:0:hash:15", "is a string, was a hash"),
    ] {
        example(&world, Some(&meddling(&world, damage)));
        let (finished, record) = drill(&world, &server);
        assert_eq!(finished.code, Some(1), "{damage}: {}\n{record:#}", finished.stderr);
        let finding = record["findings"][0]["statement"].to_string();
        assert!(finding.contains(named) && finding.contains(said), "{damage}: {finding}");
    }
    assert!(world.leftovers().is_empty());
}

#[test]
fn an_rdb_that_was_cut_off_fails_the_drill() {
    let server = RedisServer::start();
    server.fill(1000);
    let world = World::new();
    let script = "#!/bin/sh\n[ \"$1\" = --version ] || { head -c 5000 dump.rdb > cut.rdb; set -- \"$@\" --dbfilename cut.rdb; }\n\
                  exec redis-server \"$@\"\n";
    example(&world, Some(&world.script("cut", script)));
    let (finished, record) = drill(&world, &server);
    assert_eq!(finished.code, Some(1), "{}\n{record:#}", finished.stderr);
    let restores = check(&record, "restores");
    assert_eq!(restores["outcome"], "failed");
    assert!(restores["observed"].as_str().is_some_and(|said| said.contains("can't load the RDB")), "{restores}");
    assert!(world.leftovers().is_empty());
}

#[test]
fn an_empty_server_and_a_missing_program_leave_the_question_open() {
    let server = RedisServer::start();
    let world = World::new();
    example(&world, None);
    let (finished, record) = drill(&world, &server);
    assert_eq!((finished.code, &record["verdict"]), (Some(3), &Value::from("errored")), "{record:#}");
    assert!(record.to_string().contains("there is not one key in the source"), "{record:#}");

    example(&world, Some(Path::new("no-such-server")));
    let mut command = world.command(&["run", "scenario.yaml"]);
    command.env("DRILL_REDIS_URL", server.url());
    let finished = world.finish(command);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.stderr.contains("apt-get install redis-server"), "{}", finished.stderr);
}

#[test]
fn a_server_in_a_sandbox_serves_those_inside_and_goes_to_nobody_even_if_it_is_told_to() {
    let server = RedisServer::start();
    server.fill(100);
    let outside = TcpListener::bind("127.0.0.1:0").expect("listens");
    outside.set_nonblocking(true).expect("looks without waiting");
    let port = outside.local_addr().expect("an address").port();
    let script = format!(
        "redis-cli -s $REDIS_SOCKET replicaof 127.0.0.1 {port} && sleep 3 && redis-cli -s $REDIS_SOCKET exists string:1"
    );
    let checks = format!(
        "[{{name: served, probe: {{command: {{argv: [sh, -c, '{script}']}}}}, expect: {{exit: {{equals: 0}}, stdout: {{matches: '1$'}}}}}}]"
    );
    let world = World::new();
    let source = format!("{{redis: {{url: '{}'}}}}", server.url());
    let parts = [("source", source.as_str()), ("scratch", "{redis: {}}"), ("checks", checks.as_str())];
    for (sandbox, told, reached) in
        [(&[("sandbox", "{}")][..], "it has no network at all", false), (&[], "is not cut off from the network", true)]
    {
        world.scenario(&[&parts[..], sandbox].concat());
        let (finished, record) = world.drill();
        assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
        let isolation = record["environment"]["isolation"].to_string();
        assert!(isolation.contains(told), "{isolation}");
        assert_eq!(outside.accept().is_ok(), reached, "{isolation}");
    }
    assert!(world.leftovers().is_empty());
}
