//! Read a recipe: the oven always has one that was good, and the newest one in the end.

use std::cell::Cell;

use barepg_testkit::flash::Flash;
use barepg_testkit::random::Random;

use crate::plant::{Plant, QUICK};
use crate::read_a_recipe::{Kept, Oven, Recipe};

type Memory = Flash<4, 1024>;

const SCHEMA: &str = "create table recipes (id int, name text, version int);
    create view recipe as select * from recipes where calm();
    create table step (recipe int, position int, celsius real, seconds int);
    insert into recipes values (1, 'bread', 1); insert into step values (1, 1, 200, 1)";

/// A recipe of version n has n steps of n seconds.
fn is_whole(recipe: &Recipe) -> bool {
    let n = recipe.version as usize;
    recipe.count == n && recipe.steps.iter().take(n).all(|step| step.seconds == recipe.version)
}

fn publish(plant: &Plant, version: u32) {
    plant.psql(&format!(
        "begin; update recipes set version = {version}; delete from step;
        insert into step select 1, n, 200, {version} from generate_series(1, {version}) as n; commit"
    ));
}

/// Works until the recipe has this version, `turns` at the least.
fn work(plant: &Plant, flash: &mut Memory, version: i32, turns: u32, each: &dyn Fn(u32)) {
    let first = plant.turns();
    let work = |recipe: Option<&Recipe>| {
        let goes_on = plant.turn();
        let turn = plant.turns() - first;
        if goes_on {
            each(turn);
        }
        if let Some(recipe) = recipe {
            assert!(is_whole(recipe), "{recipe:?}");
        }
        assert!(turn < 20_000, "no version {version}: {recipe:?}");
        turn > turns && recipe.is_some_and(|recipe| recipe.version == version)
    };
    let report = |pause: &barepg::Pause<'_>| plant.report(pause);
    let kept = Kept::open(flash).unwrap();
    let mut oven = Oven { name: "bread", kept, work: &work, report: &report };
    plant.with_client(|client, dialler| oven.run(client, dialler, QUICK));
}

#[test]
fn the_last_good_recipe_is_kept() {
    let plant = Plant::new("guide_recipe", "recipe", SCHEMA);
    let mut flash = Memory::new(2, 1);
    let each = |turn: u32| {
        if [30, 70, 80].contains(&turn) {
            publish(&plant, turn / 10);
        }
    };
    work(&plant, &mut flash, 8, 160, &each);
    plant.was_broken();
    // What is no recipe for this oven is not taken, and the link is cut all the time.
    plant.psql("update step set celsius = 900; update recipes set version = 9");
    work(&plant, &mut flash, 8, 300, &|_| ());
    publish(&plant, 9);
    work(&plant, &mut flash, 9, 0, &|_| ());
    // A reset without a server: it works by what it has.
    plant.relay.shut();
    work(&plant, &mut flash, 9, 20, &|_| ());
    // With the flash erased, and a server.
    plant.relay.open();
    work(&plant, &mut Memory::new(2, 2), 9, 0, &|_| ());
}

#[test]
fn power_that_fails_leaves_the_old_recipe_or_the_new_one() {
    let plant = Plant::new("guide_oven", "recipe", SCHEMA);
    let (mut flash, mut random) = (Memory::new(2, 5), Random(5));
    work(&plant, &mut flash, 1, 0, &|_| ());
    let mut before = 1;
    for version in 2..=16 {
        publish(&plant, version);
        flash.arm(1 + random.below(220));
        let turns = Cell::new(0);
        let work_on = |_: Option<&Recipe>| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            turns.set(turns.get() + 1);
            turns.get() > 60
        };
        {
            let kept = Kept::open(&mut flash).unwrap();
            let mut oven = Oven { name: "bread", kept, work: &work_on, report: &|_| () };
            plant.with_client(|client, dialler| oven.run(client, dialler, QUICK));
        }
        // Power is back; what was cut reads otherwise each time.
        for _ in 0..5 {
            flash.start();
            let kept = Kept::open(&mut flash).unwrap().recipe.expect("one of the two");
            assert!(is_whole(&kept), "{kept:?}");
            assert!([before, version as i32].contains(&kept.version), "{kept:?} after {before}");
        }
        work(&plant, &mut flash, version as i32, 0, &|_| ());
        before = version as i32;
    }
    assert!(flash.cuts().0 > 0 && flash.cuts().1 > 0, "{:?}", flash.cuts());
}
