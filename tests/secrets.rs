//! Secrets in every place where one can be configured appear in no file of the run, no log and no output.

use std::fs;

use crate::support::{Cluster, EtcdServer, Mariadb, RedisServer, World, files_below};

const ENVIRONMENT: &str = "environment-hunter2-4711";
const FILE: &str = "file-hunter2-4712";
const URL: &str = "url-hunter2-4713";
const HEADER: &str = "header-hunter2-4714";

fn nowhere(world: &World, outputs: &[&str], secrets: &[&str]) {
    let identity = fs::read_to_string(world.path("identity.txt")).expect("identity");
    let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY")).expect("a key").to_owned();
    for secret in secrets.iter().copied().chain([key.as_str()]) {
        for output in outputs {
            assert!(!output.contains(secret), "{secret} in {output}");
        }
        for file in files_below(&world.path("state")).into_iter().chain(files_below(&world.path("vault"))) {
            let bytes = fs::read(&file).unwrap_or_default();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", file.display());
        }
    }
}

/// An app that prints everything it was told, as apps do when they crash.
const CHATTY: &str = "#!/bin/sh\nenv\nenv >&2\nexec python3 -m http.server --bind 127.0.0.1 \"$DRILL_PORT\"\n";

#[test]
fn secrets_of_apps_probes_and_sources_reach_nothing() {
    let world = World::new();
    world.write("input/page", "x");
    world.write("secret.txt", format!("{FILE}\n"));
    let app = world.script("app", CHATTY);
    let backup = world.script("backup", "#!/bin/sh\nenv >&2\nexec tar -C \"$(dirname \"$0\")/input\" -cf - .\n");
    let app = format!(
        "{{argv: [{}], secrets: {{TOKEN: {{env: APP_TOKEN}}, PASSWORD: {{file: secret.txt}}}}, \
         ready: {{probe: {{http: {{url: 'http://127.0.0.1:${{DRILL_PORT}}/', secret_headers: {{x-token: {{env: HEADER_TOKEN}}}}}}}}}}}}",
        app.display()
    );
    let source =
        format!("{{command: {{argv: [{}], content: tar, secrets: {{TOKEN: {{env: APP_TOKEN}}}}}}}}", backup.display());
    let checks = "[{name: it leaks, probe: {command: {argv: [sh, -c, 'echo $TOKEN; echo $TOKEN >&2; exit 1'], secrets: {TOKEN: {env: APP_TOKEN}}}}, \
                   expect: {exit: {equals: 0}, stdout: {equals: nothing}, stderr: {equals: nothing}}}]";
    world.scenario(&[("source", &source), ("app", &app), ("checks", checks)]);
    let mut command = world.command(&["run", "scenario.yaml", "-vv"]);
    command.env("APP_TOKEN", ENVIRONMENT).env("HEADER_TOKEN", HEADER);
    let finished = world.finish(command);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    nowhere(&world, &[&finished.stdout, &finished.stderr], &[ENVIRONMENT, FILE, HEADER]);
}

#[test]
fn a_password_in_a_url_reaches_nothing_even_when_the_server_refuses_it() {
    let cluster = Cluster::start();
    let urls = ["nobody_here", "postgres"].map(|user| cluster.url().replace("postgres@", &format!("{user}:{URL}@")));
    nowhere_of("postgres", urls);
    let server = Mariadb::start();
    server.sql(&format!("CREATE USER app IDENTIFIED BY '{URL}'; GRANT ALL PRIVILEGES ON *.* TO app"));
    let urls = ["nobody_here", "app"].map(|user| server.url().replace("root@", &format!("{user}:{URL}@")));
    nowhere_of("mariadb", urls);
}

/// Whether the server refuses the first URL or takes the second.
fn nowhere_of(kind: &str, [refused, taken]: [String; 2]) {
    let world = World::new();
    world.scenario(&[
        ("source", &format!("{{{kind}: {{url_from: {{env: DATABASE_URL}}}}}}")),
        ("scratch", &format!("{{{kind}: {{}}}}")),
        ("checks", "[{name: one, probe: {sql: {query: select 1}}, expect: {value: {equals: 1}}}]"),
    ]);
    for args in [["run", "scenario.yaml", "-vv"], ["doctor", "scenario.yaml", "-vv"], ["plan", "scenario.yaml", "-vv"]]
    {
        let mut command = world.command(&args);
        command.env("DATABASE_URL", &refused);
        let finished = world.finish(command);
        assert!(finished.code != Some(0), "{kind} {args:?}");
        nowhere(&world, &[&finished.stdout, &finished.stderr], &[URL]);
    }
    let mut command = world.command(&["run", "scenario.yaml", "-vv"]);
    command.env("DATABASE_URL", taken);
    let finished = world.finish(command);
    assert_eq!(finished.code, Some(0), "{kind}: {}", finished.stderr);
    nowhere(&world, &[&finished.stdout, &finished.stderr], &[URL]);
}

#[test]
fn a_password_of_redis_reaches_nothing_whether_the_server_takes_it_or_not() {
    let server = RedisServer::start();
    server.fill(10);
    let port = server.listen();
    server.send(&["CONFIG", "SET", "requirepass", URL]);
    let world = World::new();
    world.scenario(&[
        ("source", "{redis: {url_from: {env: REDIS_URL}}}"),
        ("scratch", "{redis: {}}"),
        (
            "checks",
            "[{name: env, probe: {command: {argv: [env]}}, expect: {exit: {equals: 0}, stdout: {equals: nothing}}}]",
        ),
    ]);
    for (password, more, code) in [(URL, "", 1), (URL, "-no", 2)] {
        let mut command = world.command(&["run", "scenario.yaml", "-vv"]);
        command.env("REDIS_URL", format!("redis://:{password}{more}@127.0.0.1:{port}"));
        let finished = world.finish(command);
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        nowhere(&world, &[&finished.stdout, &finished.stderr], &[URL]);
    }
}

#[test]
fn a_password_of_etcd_reaches_nothing_whether_the_cluster_takes_it_or_not() {
    let server = EtcdServer::start();
    server.fill(10);
    server.ctl(&["user", "add", &format!("root:{ENVIRONMENT}")]);
    server.ctl(&["user", "grant-role", "root", "root"]);
    server.ctl(&["auth", "enable"]);
    let world = World::new();
    let source =
        format!("{{etcd: {{endpoints: ['{}'], user: root, password: {{env: ETCD_PASSWORD}}}}}}", server.endpoint());
    let checks =
        "[{name: env, probe: {command: {argv: [env]}}, expect: {exit: {equals: 0}, stdout: {equals: nothing}}}]";
    world.scenario(&[
        ("source", &source),
        ("scratch", "{etcd: {user: root, password: {env: ETCD_PASSWORD}}}"),
        ("checks", checks),
    ]);
    for (more, code) in [("", 1), ("-no", 2)] {
        let mut command = world.command(&["run", "scenario.yaml", "-vv"]);
        command.env("ETCD_PASSWORD", format!("{ENVIRONMENT}{more}"));
        let finished = world.finish(command);
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        nowhere(&world, &[&finished.stdout, &finished.stderr], &[ENVIRONMENT]);
    }
}
