//! The example of WordPress, whole: Debian's WordPress on a real MariaDB, restored, served by PHP in a sandbox, and asked over HTTP.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Finished, Mariadb, PICTURE, World, check, wordpress};

/// A site on this server, and the example beside it.
fn world(server: &Mariadb) -> World {
    let world = World::new();
    wordpress(&world, "target/drill/wordpress", server);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/wordpress.yaml");
    world.write("scenarios/wordpress.yaml", fs::read(example).expect("the example"));
    world.write("target/drill/identity.txt", fs::read(world.path("identity.txt")).expect("an identity"));
    world
}

fn drill(world: &World, server: &Mariadb) -> (Finished, Value) {
    let mut command = world.command(&["run", "scenarios/wordpress.yaml", "--json"]);
    command.env("DRILL_MARIADB_URL", server.url());
    let finished = world.finish(command);
    let record = serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {}", finished.stderr));
    (finished, record)
}

#[test]
fn a_site_comes_back_with_its_posts_and_pictures_and_one_that_lost_some_does_not() {
    let server = Mariadb::start();
    let world = world(&server);
    let picture = "target/drill/wordpress/wp-content/uploads/2026/11/harbour.png";
    let (finished, record) = drill(&world, &server);
    assert_eq!(finished.code, Some(0), "{}\n{record:#}", finished.stderr);
    assert_eq!(record["assurance"], "L5", "{record:#}");
    let checks = record["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["outcome"] == "passed"), "{checks:#?}");
    assert_eq!(check(&record, "Every upload that the database knows is there")["level"], "L5");
    assert!(record["also"][0]["counts"]["files"].as_u64() > Some(2_000), "{}", record["also"][0]["counts"]);
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());

    fs::remove_file(world.path(picture)).expect("removed");
    let (finished, record) = drill(&world, &server);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let findings = record["findings"].to_string();
    assert!(findings.contains("2026/11/harbour.png is not there"), "{findings}");
    assert_eq!(check(&record, "The uploaded picture is served byte for byte")["outcome"], "failed");

    world.write(picture, PICTURE);
    server.sql("update wp_posts set post_title = 'Hacked' where post_name = 'the-harbour-at-dawn'");
    let (finished, record) = drill(&world, &server);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert_eq!(check(&record, "The post is served with its title")["outcome"], "failed");
    assert_eq!(check(&record, "content")["outcome"], "passed", "the backup faithfully kept what is wrong");
}
