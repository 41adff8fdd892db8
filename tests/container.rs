//! An app in a container of its own image: it serves the restored data and reaches nobody, its limits hold, and nothing of it stays.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Cluster, Engine, World, check};

const SERVES: &str = "httpd -f -p 8080 -h /srv";
const READY: &str = "{probe: {http: {url: 'http://127.0.0.1:8080/data'}}, within: 20s}";

/// An app of this image that runs this script, with further fields of its container and itself.
fn app(engine: &str, image: &str, script: &str, container: &str, more: &str) -> String {
    let script = serde_json::to_string(script).expect("a text");
    format!(
        "{{container: {{image: '{image}', data: /srv, engine: '{engine}'{container}}}, argv: [sh, -c, {script}], ready: {READY}{more}}}"
    )
}

/// The app of these tests, in this engine.
fn serving(engine: &Engine, script: &str) -> String {
    app(&engine.address(), &engine.image(&["sh"]), script, "", "")
}

fn findings(record: &Value) -> String {
    record["findings"].to_string()
}

fn isolation(record: &Value) -> String {
    record["environment"]["isolation"].to_string()
}

fn nothing_left(world: &World, engine: &Engine) {
    assert_eq!(engine.of_runs(), Vec::<String>::new());
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

#[test]
fn an_app_in_a_container_serves_the_restored_data_and_the_record_names_its_image() {
    let (world, engine) = (World::new(), Engine::start());
    let image = engine.image(&["sh", "-c", SERVES]);
    world.write("secret", "hunter2-of-the-tests");
    world.scenario(&[
        ("sandbox", "{}"),
        (
            "app",
            &format!(
                "{{container: {{image: '{image}', data: /srv, engine: '{0}'}}, ready: {READY}, secrets: {{KEY: {{file: secret}}}}, \
                  env: {{WHERE: '${{DRILL_ROOT}}'}}, argv: [sh, -c, 'echo \"key $$KEY in $$WHERE\"; echo trouble >&2; exec {SERVES}']}}",
                engine.address()
            ),
        ),
        (
            "checks",
            "[{name: http, probe: {http: {url: 'http://localhost:8080/data'}}, expect: {body: {equals: data}}},
              {name: tcp, probe: {tcp: {address: '127.0.0.1:8080'}}, expect: {open: {equals: true}}},
              {name: beside, probe: {command: {argv: [python3, -c, \"import os, urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/data').read() == open('data', 'rb').read(), os.getpid() < 20)\"]}}, expect: {stdout: {equals: True True}}}]",
        ),
    ]);
    let record = world.drill_ends(0);
    assert_eq!(record["assurance"], "L4");
    let told = isolation(&record);
    for said in [image.as_str(), "2GiB of memory", "every address of this host (127.0.0.1:", "the source ", "at /srv"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!findings(&record).contains("sandbox"), "nobody tried to leave: {}", findings(&record));
    let log = fs::read_to_string(world.runs()[0].join("logs/app.log")).expect("the log");
    assert!(log.contains("key [secret] in /srv\n") && log.contains("trouble\n"), "{log}");
    nothing_left(&world, &engine);

    // An image that starts by itself, and one that ends: a failed check with its last words.
    let own =
        format!("{{container: {{image: '{image}', data: /srv, engine: '{}'}}, ready: {READY}}}", engine.address());
    world.scenario(&[("sandbox", "{}"), ("app", &own)]);
    world.drill_ends(0);
    world.scenario(&[("sandbox", "{}"), ("app", &serving(&engine, "echo no such table; exit 3"))]);
    let record = world.drill_ends(1);
    let why = check(&record, "app-ready")["observed"].to_string();
    assert!(why.contains("exited with 3; its last lines: no such table"), "{why}");
    nothing_left(&world, &engine);
}

#[test]
fn an_app_in_a_container_reaches_neither_the_world_nor_this_host_and_the_record_says_so() {
    let (world, engine) = (World::new(), Engine::start());
    let outside = TcpListener::bind("0.0.0.0:0").expect("listens");
    let port = outside.local_addr().expect("an address").port();
    let source = fs::canonicalize(world.path("input")).expect("the source");
    let script = format!(
        "for to in 127.0.0.1 192.0.2.25 198.51.100.7; do nc -w 2 $to {port} </dev/null && echo reached $to >> /srv/tried; done; \
         nslookup hooks.example.org && echo resolved >> /srv/tried; \
         ls {0} {0}/../identity.txt {1} && echo saw >> /srv/tried; \
         touch /bin/x /x && echo wrote >> /srv/tried; \
         mount -t tmpfs none /tmp && echo mounted >> /srv/tried; \
         grep -q 'CapBnd:.*[1-9a-f]' /proc/1/status && echo rights >> /srv/tried; \
         touch /tmp/x /srv/made && echo done >> /srv/tried; exec {SERVES}",
        source.display(),
        engine.socket().display(),
    );
    world.scenario(&[
        ("sandbox", "{}"),
        ("app", &serving(&engine, &script)),
        (
            "checks",
            "[{name: nothing came of it, probe: {http: {url: 'http://127.0.0.1:8080/tried'}}, expect: {body: {equals: \"done\\n\"}}}]",
        ),
    ]);
    let record = world.drill_ends(0);
    let told = findings(&record);
    for said in [
        &format!("tried to reach 192.0.2.25:{port}, once. Nothing left the sandbox."),
        &format!("tried to reach 198.51.100.7:{port}, once."),
        "tried to look up the name hooks.example.org",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    outside.set_nonblocking(true).expect("set");
    assert!(outside.accept().is_err(), "somebody connected");
    nothing_left(&world, &engine);
}

/// A way to an engine's socket that makes something else, of the same length, of what the app's container is to be.
fn twisted(engine: &Engine, at: PathBuf, twist: impl Fn(&str) -> String + Clone + Send + 'static) {
    let (listener, socket) = (UnixListener::bind(at).expect("listens"), engine.socket());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = UnixStream::connect(&socket) else { continue };
            let (mut answers, mut back) = (server.try_clone().expect("cloned"), client.try_clone().expect("cloned"));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut answers, &mut back);
                let _ = back.shutdown(std::net::Shutdown::Write);
            });
            let twist = twist.clone();
            std::thread::spawn(move || pass(client, server, twist));
        }
    });
}

fn pass(mut from: UnixStream, mut to: UnixStream, twist: impl Fn(&str) -> String) {
    let mut piece = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let text = String::from_utf8_lossy(&piece[..length]);
        // The sandbox's own container has no health to be left out.
        let text = if text.contains("Healthcheck") { twist(&text) } else { text.into_owned() };
        if to.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// With this in place of what is mounted as the restored data.
fn mounting(text: &str, path: &str) -> String {
    let end = text.find("/scratch/data\"").expect("the restored data") + "/scratch/data".len();
    let start = text[..end].rfind('"').expect("its begin") + 1;
    format!("{}{path}{}{}", &text[..start], "/".repeat(end - start - path.len()), &text[end..])
}

#[test]
fn an_engine_that_does_not_confine_the_app_as_it_is_asked_to_is_found_out() {
    let (world, engine) = (World::new(), Engine::start());
    let (image, source) = (engine.image(&["sh"]), fs::canonicalize(world.path("input")).expect("the source"));
    let source = source.display().to_string();
    let drill = |name: &str, code: i32, twist: &dyn Fn(&Path)| {
        let socket = world.path(name);
        twist(&socket);
        let address = format!("unix://{}", socket.display());
        let app = app(&address, &image, "exec httpd -f -p 8080 -h $DRILL_ROOT", "", "").replace("/srv", &source);
        world.scenario(&[("sandbox", "{}"), ("app", &app)]);
        let record = world.drill_ends(code);
        nothing_left(&world, &engine);
        record["because"].to_string()
    };
    drill("as-it-is", 0, &|socket| twisted(&engine, socket.into(), str::to_owned));
    let why = drill("with-rights", 3, &|socket| {
        twisted(&engine, socket.into(), |text| text.replace(r#""CapDrop":["ALL"]"#, r#""CapDrop":[     ]"#));
    });
    assert!(why.contains("does not hold: it has a capability"), "{why}");
    let why = drill("with-the-source", 3, &|socket| {
        let source = source.clone();
        twisted(&engine, socket.into(), move |text| mounting(text, &source));
    });
    assert!(why.contains("input can be seen in it"), "{why}");
}

#[test]
fn limits_of_a_container_leave_the_drill_without_an_answer() {
    let (world, engine) = (World::new(), Engine::start());
    for (limit, script, said) in [
        ("memory: 50MiB", "tail /dev/zero", "50MiB of memory"),
        ("processes: 20", "(for n in $(seq 50); do sleep 1000 & done); exec sleep 1000", "20 processes"),
        (
            "disk: 20MiB",
            "for n in $(seq 40); do dd if=/dev/zero of=/srv/f$n bs=1M count=1; sleep 0.1; done; sleep 1000",
            "more than 20MiB",
        ),
    ] {
        world.scenario(&[
            ("sandbox", &format!("{{{limit}}}")),
            ("app", &serving(&engine, script).replace("within: 20s", "within: 8s")),
        ]);
        let record = world.drill_ends(3);
        assert!(findings(&record).contains(said), "{said}: {record:#}");
        nothing_left(&world, &engine);
    }
}

#[test]
fn an_image_that_is_not_there_and_an_engine_that_does_not_answer_are_told_before_anything_is_done() {
    let (world, engine) = (World::new(), Engine::start());
    let digest = format!("sha256:{}", "0".repeat(64));
    let nobody = format!("unix://{}", world.path("nobody").display());
    let by_name = format!("registry.example.org/wiki@{digest}");
    for (address, image, said) in [
        (engine.address(), &by_name, vec!["is not on this host", "`docker pull registry.example.org/wiki@sha256:0000"]),
        (engine.address(), &digest, vec!["is not on this host", "docker images --no-trunc"]),
        (nobody, &digest, vec!["asking the container engine at", "systemctl start docker"]),
    ] {
        world.scenario(&[("sandbox", "{}"), ("app", &app(&address, image, SERVES, "", ""))]);
        let finished = world.run(&["run", "scenario.yaml"]);
        assert!(matches!(finished.code, Some(2 | 3)), "{finished:?}");
        assert!(said.iter().all(|said| finished.stderr.contains(said)), "{finished:?}");
        assert!(world.runs().is_empty(), "nothing was begun");
    }
    let text = fs::read_to_string(world.path("scenario.yaml")).expect("a scenario");
    let start = text.find(", engine: '").expect("an engine");
    let end = start + text[start..].find('}').expect("its end");
    world.write("scenario.yaml", format!("{}{}", &text[..start], &text[end..]));
    let mut command = world.command(&["doctor", "scenario.yaml"]);
    command.env("DOCKER_HOST", "tcp://127.0.0.1:2375");
    let finished = world.finish(command);
    assert!(finished.stdout.contains("is behind no unix socket"), "{finished:?}");
    nothing_left(&world, &engine);
}

#[test]
fn of_a_killed_drill_sweep_removes_every_container_and_nobody_elses() {
    let (world, engine) = (World::new(), Engine::start());
    let image = engine.image(&["sleep", "1000"]);
    engine.docker(&["run", "--detach", "--network", "none", "--name", "drillctl-somebody-app", &image]);
    engine.docker(&["run", "--detach", "--network", "none", "--label", "drillctl.run=another", &image]);
    let checks =
        "[{name: a while, probe: {command: {argv: [sleep, '34567'], timeout: 10m}}, expect: {exit: {equals: 0}}}]";
    world.scenario(&[("sandbox", "{}"), ("app", &serving(&engine, SERVES)), ("checks", checks)]);
    let mut child = world.start();
    world.wait_for("\"app-ready\"");
    assert_eq!(engine.of_runs().len(), 4, "two containers, an image, and what another run has: {:?}", engine.of_runs());
    child.kill().expect("killed");
    child.wait().expect("gone");
    let swept = world.run(&["sweep"]);
    assert_eq!(swept.code, Some(0), "{}{}", swept.stdout, swept.stderr);
    assert_eq!(world.newest_record()["release"]["leaked"].as_array().map(Vec::len), Some(0));
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
    assert_eq!(engine.of_runs().len(), 1, "{:?}", engine.of_runs());
    assert_eq!(engine.docker(&["ps", "--quiet"]).lines().count(), 2, "somebody's containers still run");
    assert_eq!(engine.docker(&["volume", "ls", "--quiet"]), "");
}

#[test]
fn what_an_app_in_a_container_left_in_a_kept_environment_is_there_without_the_container() {
    let (world, engine) = (World::new(), Engine::start());
    let script = format!("echo migrated > /srv/schema; exec {SERVES}");
    world.scenario(&[("sandbox", "{}"), ("app", &serving(&engine, &script)), ("keep", "{passed: 1h}")]);
    world.drill_ends(0);
    assert_eq!(engine.of_runs(), Vec::<String>::new());
    let listed = world.run(&["env", "list", "--json"]);
    assert!(listed.stdout.contains("scratch"), "{listed:?}");
    let entered = world.run(&["env", "enter", "latest", "--", "cat", "schema"]);
    assert_eq!((entered.code, entered.stdout.as_str()), (Some(0), "migrated\n"), "{}", entered.stderr);
    assert_eq!(world.run(&["env", "release", "latest"]).code, Some(0));
    nothing_left(&world, &engine);
}

#[test]
fn an_app_in_a_container_and_probes_beside_it_reach_a_throw_away_database() {
    let (world, engine, cluster) = (World::new(), Engine::start(), Cluster::start());
    cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 100) AS id");
    let script =
        "mkdir /tmp/w; test -S $PGHOST/.s.PGSQL.$PGPORT && echo there > /tmp/w/data; exec httpd -f -p 8080 -h /tmp/w";
    world.scenario(&[
        ("source", &format!("{{postgres: {{url: '{}'}}}}", cluster.url())),
        ("scratch", "{postgres: {}}"),
        ("sandbox", "{}"),
        ("app", &serving(&engine, script)),
        (
            "checks",
            "[{name: app, probe: {http: {url: 'http://127.0.0.1:8080/data'}}, expect: {body: {equals: \"there\\n\"}}},
              {name: psql, probe: {command: {argv: [psql, -XAtqc, select count(*) from orders]}}, expect: {stdout: {equals: '100'}}},
              {name: sql, probe: {sql: {query: select count(*) from orders}}, expect: {value: {equals: 100}}}]",
        ),
    ]);
    world.drill_ends(0);
    nothing_left(&world, &engine);
}

#[test]
fn an_ordinary_account_that_may_use_the_engine_has_containers_too_as_itself_only() {
    let (world, engine) = (World::new(), Engine::start());
    fs::set_permissions(engine.socket(), fs::Permissions::from_mode(0o666)).expect("mode");
    let script = format!("id -u > /srv/who; exec {SERVES}");
    world.scenario(&[
        ("sandbox", "{}"),
        ("app", &serving(&engine, &script)),
        (
            "checks",
            "[{name: who, probe: {http: {url: 'http://127.0.0.1:8080/who'}}, expect: {body: {equals: \"65534\\n\"}}},
              {name: beside, probe: {command: {argv: [sh, -c, 'id -u; cat who; touch beside']}}, expect: {stdout: {equals: \"65534\\n65534\"}}}]",
        ),
    ]);
    let program = world.path("drillctl");
    fs::copy(env!("CARGO_BIN_EXE_drillctl"), &program).expect("copied");
    fs::create_dir(world.path("state")).expect("a folder");
    assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(world.path("")).status().expect("chown").success());
    chown(world.path(""), Some(65534), Some(65534)).expect("chown");
    let run = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command.args(["run", "scenario.yaml", "--json"]);
        command.current_dir(world.path("")).env("DRILLCTL_STATE", world.path("state"));
        world.finish(command)
    };
    let finished = run();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    nothing_left(&world, &engine);

    let text = fs::read_to_string(world.path("scenario.yaml")).expect("a scenario");
    world.write("scenario.yaml", text.replace("data: /srv,", "data: /srv, user: '33:33',"));
    let refused = run();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("would leave files that nobody can't remove"), "{}", refused.stderr);
}

#[test]
fn a_program_of_the_image_runs_beside_the_app_and_one_that_is_not_in_it_says_nothing_about_the_backup() {
    let (world, engine) = (World::new(), Engine::start());
    world.write("secret", "hunter2-of-the-tests");
    let probe = |name: &str, argv: &str, expect: &str| {
        format!(
            "{{name: {name}, probe: {{command: {{argv: {argv}, in_app: true, timeout: 3s, secrets: {{KEY: {{file: secret}}}}}}}}, expect: {{{expect}}}}}"
        )
    };
    let right = [
        probe(
            "sees",
            "[sh, -c, 'cat data; pwd; readlink /proc/1/exe; echo $$KEY >&2; exit 5']",
            "exit: {equals: 5}, stdout: {equals: \"data/srv\\n/bin/busybox\"}, stderr: {equals: '[secret]'}",
        ),
        probe("fills", "[ls, '${DRILL_ROOT}/data']", "stdout: {equals: /srv/data}"),
        probe(
            "has no rights",
            "[sh, -c, 'grep -c \"Cap.*[1-9a-f]$\" /proc/self/status; mount -t tmpfs none /tmp']",
            "exit: {not: 0}, stdout: {equals: '0'}",
        ),
    ];
    let drill = |script: &str, checks: &[String], code: i32| {
        let checks = format!("[{}]", checks.join(", "));
        world.scenario(&[("sandbox", "{}"), ("app", &serving(&engine, script)), ("checks", &checks)]);
        let record = world.drill_ends(code);
        nothing_left(&world, &engine);
        record
    };
    drill(&format!("exec {SERVES}"), &right, 0);
    let slow = probe("slow", "[sleep, '1000']", "exit: {equals: 0}");
    let record = drill(&format!("exec {SERVES}"), &[slow], 1);
    assert!(check(&record, "slow")["observed"].to_string().contains("ran longer than 3s"), "{record:#}");
    let record = drill(&format!("exec {SERVES}"), &[probe("absent", "[python3]", "exit: {equals: 0}")], 3);
    assert!(findings(&record).contains("Name a program that the image has"), "{record:#}");
    let while_it_ends =
        "{name: a while, probe: {command: {argv: [sleep, '3']}}, expect: {exit: {equals: 0}}}".to_owned();
    let late = [while_it_ends, probe("late", "['true']", "exit: {equals: 0}")];
    let record = drill(&format!("{SERVES} & sleep 2; exit 4"), &late, 1);
    assert!(check(&record, "app-runs")["observed"].to_string().contains("exited with 4"), "{record:#}");
    assert!(check(&record, "late")["observed"].to_string().contains("is not running"), "{record:#}");
}

#[test]
fn the_data_of_every_system_of_a_drill_is_in_the_apps_container() {
    let (world, engine) = (World::new(), Engine::start());
    world.write("uploads/picture", "of the tests");
    world.scenario(&[
        ("also", "[{name: uploads, source: {directory: {path: uploads}}, scratch: {directory: {}}}]"),
        ("sandbox", "{}"),
        ("app", &serving(&engine, &format!("cat $UPLOADS_ROOT/picture > /srv/seen; exec {SERVES}"))),
        (
            "checks",
            "[{name: app, probe: {http: {url: 'http://127.0.0.1:8080/seen'}}, expect: {body: {equals: of the tests}}},
              {name: beside, system: uploads, probe: {command: {argv: [cat, picture], in_app: true}}, expect: {stdout: {equals: of the tests}}},
              {name: own, probe: {command: {argv: [pwd], in_app: true}}, expect: {stdout: {equals: /srv}}}]",
        ),
    ]);
    world.drill_ends(0);
    nothing_left(&world, &engine);
}

/// How long the tests may wait for what ends by itself.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn an_engine_of_these_tests_leaves_nothing() {
    let engine = Engine::start();
    let folder = engine.socket().parent().map(Path::to_owned).expect("a folder");
    engine.docker(&["run", "--detach", "--network", "none", &engine.image(&["sleep", "1000"])]);
    drop(engine);
    let since = Instant::now();
    while folder.exists() {
        assert!(since.elapsed() < SOON, "the engine of the tests leaves {}", folder.display());
    }
}
