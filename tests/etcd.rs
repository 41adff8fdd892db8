//! Drills of a real etcd.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{EtcdServer, Finished, World, check};

/// The example scenario in a world of its own, with the test's cluster as its source, and the programs of the scratch in place of the usual
/// ones.
fn example(world: &World, server: &EtcdServer, bin: Option<&Path>) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/etcd.yaml"));
    let text = text.expect("the example").replace("../target/drill/", "");
    let scratch = bin.map_or("etcd: {}".into(), |bin| format!("etcd: {{bin: {}}}", bin.display()));
    world.write(
        "scenario.yaml",
        text.replace("http://127.0.0.1:2379", &server.endpoint()).replace("etcd: {}", &scratch),
    );
}

fn filled(count: u32) -> EtcdServer {
    let server = EtcdServer::start();
    server.fill(count);
    server.ctl(&["put", "/config/shop/currency", "EUR"]);
    server
}

fn drill(world: &World) -> (Finished, Value) {
    let finished = world.finish(world.command(&["run", "scenario.yaml", "--json"]));
    let record = serde_json::from_str(&finished.stdout);
    let record = record.unwrap_or_else(|error| panic!("no record ({error}): {}\n{}", finished.stdout, finished.stderr));
    (finished, record)
}

/// A folder with the programs of the scratch, of which one does something else before it does what it should.
fn meddling(world: &World, name: &str, before: &str) -> PathBuf {
    let folder = world.path("bin");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    for program in ["etcd", "etcdctl"] {
        let script = world.script(
            program,
            &format!("#!/bin/sh\n{}\nexec {program} \"$@\"\n", if program == name { before } else { "" }),
        );
        fs::rename(script, folder.join(program)).expect("moved");
    }
    folder
}

/// Starts the restored data once before it is looked at, and does this to it.
fn changing(world: &World, command: &str) -> PathBuf {
    let script = format!(
        "[ \"$1\" != --version ] || exec etcd --version\n\
         etcd \"$@\" --listen-client-urls unix://meddle:0 --advertise-client-urls unix://meddle:0 >/dev/null 2>&1 &\n\
         until etcdctl --endpoints unix://meddle:0 endpoint health >/dev/null 2>&1; do sleep 0.02; done\n\
         etcdctl --endpoints unix://meddle:0 {command} >/dev/null || exit 1\n\
         kill $!; wait $!"
    );
    meddling(world, "etcd", &script)
}

#[test]
fn a_cluster_of_some_size_is_drilled_and_left_as_it_was() {
    let server = filled(20_000);
    let granted = server.ctl(&["lease", "grant", "5000"]);
    let lease = granted.split_whitespace().nth(1).expect("an id").to_owned();
    server.ctl(&["put", "session", "1", "--lease", &lease]);
    let world = World::new();
    example(&world, &server, None);
    let (finished, record) = drill(&world);
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert_eq!(record["backup"]["content"]["keys"], 20_002, "{}", record["backup"]);
    let content = check(&record, "content");
    assert_eq!(content["observed"], "etcd: 20,002 keys, 1 of which expire, 1 lease", "{content}");
    assert_eq!(check(&record, "canary")["outcome"], "passed");
    assert!(record["measurements"]["recovery_point_secs"].as_f64().is_some_and(|secs| secs < 60.0), "{record:#}");
    assert_eq!(server.ctl(&["get", "drillctl", "--prefix"]), "", "the canary is gone");
    assert!(world.leftovers().is_empty());
}

#[test]
fn each_kind_of_damage_fails_the_drill_with_words_that_name_it() {
    let server = filled(500);
    let granted = server.ctl(&["lease", "grant", "5000"]);
    let lease = granted.split_whitespace().nth(1).expect("an id").to_owned();
    server.ctl(&["user", "add", "ann:open-sesame"]);
    let world = World::new();
    let revoke = format!("lease revoke {lease}");
    for (damage, named, said) in [
        ("del /key/77", "key:/key/77", "is missing"),
        ("put /key/77 x", "key:/key/77", "holds another value"),
        (revoke.as_str(), "lease:", "is missing"),
        ("user delete ann", "user:ann", "is missing"),
    ] {
        example(&world, &server, Some(&changing(&world, damage)));
        let (finished, record) = drill(&world);
        assert_eq!(finished.code, Some(1), "{damage}: {}\n{record:#}", finished.stderr);
        let finding = record["findings"][0]["statement"].to_string();
        assert!(finding.contains(named) && finding.contains(said), "{damage}: {finding}");
    }
    assert!(world.leftovers().is_empty());
}

#[test]
fn a_snapshot_that_was_cut_off_or_is_another_fails_the_drill() {
    let server = filled(500);
    let world = World::new();
    let old = world.path("old.db");
    server.ctl(&["snapshot", "save", &old.display().to_string()]);
    server.ctl(&["put", "/key/new", "1"]);
    let cut = "head -c 30000 \"$3\" > cut.db && shift 3 && set -- snapshot restore cut.db \"$@\"";
    let flip = "printf X | dd of=\"$3\" bs=1 seek=9000 conv=notrunc 2>/dev/null";
    for damage in [cut, flip] {
        example(&world, &server, Some(&meddling(&world, "etcdctl", damage)));
        let (finished, record) = drill(&world);
        assert_eq!(finished.code, Some(1), "{damage}: {}\n{record:#}", finished.stderr);
        let restores = check(&record, "restores");
        assert_eq!(restores["outcome"], "failed");
        assert!(
            restores["observed"].as_str().is_some_and(|said| said.contains("is cut off or was changed")),
            "{restores}"
        );
    }
    let other = format!("shift 3; set -- snapshot restore {} \"$@\"", old.display());
    fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("mode");
    example(&world, &server, Some(&meddling(&world, "etcdctl", &other)));
    let (finished, record) = drill(&world);
    assert_eq!(finished.code, Some(1), "{}\n{record:#}", finished.stderr);
    let said = record["findings"].to_string();
    assert!(said.contains("setting:revision") && said.contains("another backup was restored"), "{said}");
    assert!(world.leftovers().is_empty());
}

#[test]
fn an_empty_cluster_and_a_missing_program_leave_the_question_open() {
    let server = EtcdServer::start();
    let world = World::new();
    example(&world, &server, None);
    let (finished, record) = drill(&world);
    assert_eq!((finished.code, &record["verdict"]), (Some(3), &Value::from("errored")), "{record:#}");
    assert!(record.to_string().contains("there is not one key in the source"), "{record:#}");

    example(&world, &server, None);
    let mut command = world.command(&["run", "scenario.yaml"]);
    command.env("PATH", world.path("bin-without-etcd"));
    let finished = world.finish(command);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.stderr.contains("apt-get install etcd-server"), "{}", finished.stderr);
}

#[test]
fn a_cluster_in_a_sandbox_serves_those_inside_and_goes_to_nobody_even_if_it_is_told_to() {
    let server = filled(100);
    let outside = TcpListener::bind("127.0.0.1:0").expect("listens");
    outside.set_nonblocking(true).expect("looks without waiting");
    let port = outside.local_addr().expect("an address").port();
    let script = format!(
        "etcdctl get --print-value-only /key/1; etcdctl member add other --peer-urls=http://127.0.0.1:{port} >/dev/null; sleep 3"
    );
    let checks = format!(
        "[{{name: served, probe: {{command: {{argv: [sh, -c, '{script}']}}}}, expect: {{exit: {{equals: 0}}, stdout: {{equals: value-1}}}}}}]"
    );
    let world = World::new();
    let source = format!("{{etcd: {{endpoints: ['{}']}}}}", server.endpoint());
    let parts = [("source", source.as_str()), ("scratch", "{etcd: {}}"), ("checks", checks.as_str())];
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
