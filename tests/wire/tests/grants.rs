// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a session was given: look-ups, giving back, answers.

#![allow(non_snake_case)] // names of faults

use ax650_wire_tests::wire::{
    frame::{Header, Target},
    grants::{
        answer::{learn, Said},
        picture::{Picture, Places},
        table::{Denial, Grant, Order, Step, Table},
        Effect, Gift, Kind, Mark, Named, Taken, Thing,
    },
    pb::Writer,
};
use proptest::prelude::*;

const PAGE: u64 = 4096;
const BASE: u64 = 0x1_4000_0000;

fn table() -> Table<Vec<Grant>> {
    Table::new(vec![Grant::default(); 64])
}

fn memory(address: u64) -> Thing {
    Thing::new(Kind::Memory, address)
}

fn give_memory(table: &mut Table<Vec<Grant>>, address: u64, size: u64) -> bool {
    table.give(Grant::new(memory(address), size, None, 0))
}

fn range(address: u64, size: u64) -> Named {
    Named::Range { address, size }
}

/// A short call of a job, in stream 1 of context 2.
fn call(job: u64) -> Step {
    Step {
        job,
        place: Some((2, 1)),
        pipelined: false,
        short: true,
        endless: false,
        feeds: false,
        gives: false,
    }
}

fn copy(job: u64) -> Step {
    Step {
        place: None,
        short: false,
        ..call(job)
    }
}

#[test]
fn ranges_lie_in_one_piece() {
    let mut table = table();
    assert!(give_memory(&mut table, BASE, PAGE));
    assert!(give_memory(&mut table, BASE + PAGE, PAGE));
    let mut ask = |address, size| table.name(&range(address, size), &call(1)).is_ok();
    for (address, size) in [(BASE, PAGE), (BASE + 1, PAGE - 1), (BASE + PAGE, 0)] {
        assert!(ask(address, size), "{address:x} {size:x}");
    }
    for (address, size) in [
        (BASE - 1, 1),
        (BASE - 1, 2),
        (BASE, PAGE + 1),
        (BASE + PAGE - 1, 2),
        (BASE + 2 * PAGE, 1),
        // The first byte of somebody else's.
        (BASE + 2 * PAGE, 0),
        (BASE + 1, u64::MAX),
        (u64::MAX, 1),
        (0, u64::MAX),
        (0, 0),
    ] {
        assert!(!ask(address, size), "{address:x} {size:x}");
    }
}

#[test]
fn what_the_card_gives_twice_is_doubted() {
    let mut table = table();
    assert!(give_memory(&mut table, BASE, 2 * PAGE));
    for (address, size) in [
        (BASE + PAGE, 1),
        (BASE - 1, 2),
        (BASE, PAGE),
        (BASE - PAGE, 9 * PAGE),
    ] {
        assert!(!give_memory(&mut table, address, size), "{address:x}");
    }
    // The same again is the same.
    assert!(give_memory(&mut table, BASE, 2 * PAGE));
    assert!(give_memory(&mut table, BASE + 2 * PAGE, PAGE));
    assert_eq!(table.wanted(), 2);
}

fn take(table: &mut Table<Vec<Grant>>, taken: Taken, by: &Step) -> Result<Vec<Grant>, Denial> {
    let count = table.check_take(&taken, by)?;
    let mut out = Vec::new();
    table.take(&taken, |grant| out.push(grant));
    assert_eq!(out.len(), count);
    Ok(out)
}

#[test]
fn nothing_is_given_back_while_others_use_it() {
    let all = Taken::Whole(memory(BASE));
    let with = |users: &[(Step, bool)], by: Step| {
        let mut table = table();
        give_memory(&mut table, BASE, PAGE);
        for (user, sent) in users {
            let mut used = table.name(&range(BASE, 1), user).unwrap();
            if *sent {
                table.sent(&mut used);
            }
        }
        table.check_take(&all, &by).map(drop)
    };
    let elsewhere = Step {
        place: Some((3, 1)),
        ..call(1)
    };
    let along = Step {
        pipelined: true,
        ..call(1)
    };
    let long = Step {
        short: false,
        ..call(2)
    };
    let endless = Step {
        endless: true,
        ..call(1)
    };
    assert_eq!(with(&[], call(2)), Ok(()));
    // Other jobs: only what was sent to the same stream before, in order.
    assert_eq!(with(&[(call(1), true)], call(2)), Ok(()));
    for (users, by) in [
        (vec![(call(1), false)], call(2)),
        (vec![(call(1), true)], long),
        (vec![(elsewhere, true)], call(2)),
        (vec![(elsewhere, true), (call(1), true)], call(2)),
        (vec![(call(1), true), (call(3), false)], call(2)),
        (vec![(copy(1), false)], call(2)),
        (vec![(endless, true)], call(2)),
        (vec![(endless, true)], call(1)),
        // The same job: only what it waits for, or what is in the same stream.
        (vec![(copy(1), false)], along),
        (vec![(elsewhere, false)], along),
        (vec![(elsewhere, false), (call(1), false)], along),
        (vec![(copy(2), false), (call(1), false)], call(1)),
    ] {
        assert_eq!(with(&users, by), Err(Denial::Used), "{users:?} {by:?}");
    }
    assert_eq!(
        with(&[(copy(1), false), (elsewhere, false)], call(1)),
        Ok(())
    );
    assert_eq!(with(&[(call(1), false)], along), Ok(()));
    assert_eq!(
        with(&[(call(2), true), (copy(1), false)], call(1)),
        Err(Denial::Used)
    );
}

#[test]
fn uses_end_once_and_of_their_own_entry() {
    let mut table = table();
    give_memory(&mut table, BASE, PAGE);
    let old = table.name(&range(BASE, 1), &call(1)).unwrap();
    let all = Taken::Whole(memory(BASE));
    assert_eq!(take(&mut table, all, &call(1)).map(|all| all.len()), Ok(1));
    assert_eq!(
        table.name(&range(BASE, 1), &call(1)).err(),
        Some(Denial::NotGiven)
    );
    assert_eq!(table.check_take(&all, &call(1)), Err(Denial::NotGiven));
    // Given anew: uses of the old one are none of the new one's.
    give_memory(&mut table, BASE, PAGE);
    let new = table.name(&range(BASE, 1), &call(2)).unwrap();
    table.release(&old);
    assert_eq!(table.check_take(&all, &call(3)), Err(Denial::Used));
    table.release(&new);
    assert_eq!(table.check_take(&all, &call(3)), Ok(1));
}

/// What was to be given back, and was not, is used as before.
#[test]
fn uses_outlast_a_give_back_that_was_not_made() {
    let mut table = table();
    give_memory(&mut table, BASE, PAGE);
    let all = Taken::Whole(memory(BASE));
    let mut used = table.name(&range(BASE, 1), &call(1)).unwrap();
    table.sent(&mut used);
    assert_eq!(table.order(&all, &call(2)), Order::Others);
    let taken = take(&mut table, all, &call(2)).unwrap();
    assert!(table.give_back(taken[0]));
    // Elsewhere nothing comes behind the use; on the stream nothing is known of all uses any more.
    let elsewhere = Step {
        place: Some((2, 2)),
        ..call(3)
    };
    for by in [elsewhere, call(3)] {
        assert_eq!(table.check_take(&all, &by), Err(Denial::Used), "{by:?}");
    }
    table.release(&used);
    assert_eq!(table.check_take(&all, &elsewhere), Ok(1));
    assert_eq!(table.order(&all, &elsewhere), Order::Unused);
    // Nothing is put back over what was given since.
    let taken = take(&mut table, all, &call(4)).unwrap();
    give_memory(&mut table, BASE, 2 * PAGE);
    assert!(!table.give_back(taken[0]));
}

/// An encoder reads its picture after it has answered: no order of calls or steps says when it has.
#[test]
fn pictures_are_used_until_the_encoder_is_through() {
    let all = Taken::Whole(memory(BASE));
    let feed = Step {
        feeds: true,
        ..call(1)
    };
    let mut table = table();
    give_memory(&mut table, BASE, PAGE);
    let encoder = Thing::new(Kind::Encoder, 3_u32);
    table.give(Grant::new(encoder, 0, None, 0));
    let mut used = table.name(&range(BASE, 1), &feed).unwrap();
    let mut of = table.name(&Named::Thing(encoder), &feed).unwrap();
    table.sent(&mut used);
    table.sent(&mut of);
    // A later step of the job, and a later call of the stream.
    for by in [call(1), call(2)] {
        assert_eq!(table.check_take(&all, &by), Err(Denial::Used), "{by:?}");
    }
    // The encoder itself is asked in order.
    assert!(table.check_take(&Taken::Whole(encoder), &call(2)).is_ok());
    table.goes_on(&mut used);
    assert_eq!(table.check_take(&all, &call(2)), Err(Denial::Used));
    table.release(&used);
    assert_eq!(table.check_take(&all, &call(2)), Ok(1));
}

/// A context that is ended may have a call that goes on; what comes next in its name is beside that.
#[test]
fn the_end_of_a_context_ends_its_order() {
    let mut table = table();
    give_memory(&mut table, BASE, PAGE);
    let mut used = table.name(&range(BASE, 1), &call(1)).unwrap();
    table.sent(&mut used);
    let all = Taken::Whole(memory(BASE));
    assert_eq!(table.check_take(&all, &call(2)), Ok(1));
    table.disorder();
    assert_eq!(table.check_take(&all, &call(2)), Err(Denial::Used));
    table.release(&used);
    assert_eq!(table.check_take(&all, &call(2)), Ok(1));
}

/// A job that is let in a second time, as a step of it found too little room, has each use once.
#[test]
fn K32_uses_that_were_undone_hide_no_others() {
    let mut table = table();
    give_memory(&mut table, BASE, PAGE);
    let all = Taken::Whole(memory(BASE));
    let other = table.name(&range(BASE, 1), &copy(1)).unwrap();
    let undone = table.name(&range(BASE, 1), &call(2)).unwrap();
    table.release(&undone);
    let again = table.name(&range(BASE, 1), &call(2)).unwrap();
    assert_eq!(table.check_take(&all, &call(2)), Err(Denial::Used));
    table.release(&other);
    assert_eq!(table.check_take(&all, &call(2)), Ok(1));
    table.release(&again);
    assert_eq!(table.check_take(&all, &call(3)), Ok(1));
}

/// What a call may still bring of a thing is not among its parts yet.
#[test]
fn K33_parts_that_are_still_to_come_keep_the_others() {
    let mut table = table();
    let decoder = Thing::new(Kind::Decoder, 3u32);
    table.give(Grant::new(decoder, 0, None, 0));
    let named = Named::Thing(decoder);
    let parts = Taken::Parts(decoder);
    let elsewhere = Step {
        place: Some((3, 1)),
        ..call(2)
    };
    // Bytes of a stream bring nothing.
    let bytes = table.name(&named, &call(1)).unwrap();
    assert_eq!(table.check_take(&parts, &elsewhere), Ok(0));
    let gets = Step {
        gives: true,
        ..call(1)
    };
    let mut used = table.name(&named, &gets).unwrap();
    assert_eq!(table.check_take(&parts, &elsewhere), Err(Denial::Used));
    table.release(&bytes);
    table.sent(&mut used);
    assert_eq!(table.check_take(&parts, &elsewhere), Err(Denial::Used));
    // Behind it on its stream.
    assert_eq!(table.check_take(&parts, &call(2)), Ok(0));
    table.release(&used);
    assert_eq!(table.check_take(&parts, &elsewhere), Ok(0));
}

/// A step may rely on the order of its own job's calls: who sends it has to know.
#[test]
fn K35_order_of_the_own_job_is_told() {
    let mut table = table();
    give_memory(&mut table, BASE, PAGE);
    let all = Taken::Whole(memory(BASE));
    let along = Step {
        pipelined: true,
        ..call(1)
    };
    assert_eq!(table.order(&all, &along), Order::Unused);
    table.name(&range(BASE, 1), &call(1)).unwrap();
    assert_eq!(table.order(&all, &along), Order::Own);
    // It waits for them in any case.
    assert_eq!(table.order(&all, &call(1)), Order::Unused);
    table.name(&range(BASE, 1), &call(2)).unwrap();
    assert_eq!(table.order(&all, &along), Order::Others);
}

#[test]
fn parts_go_with_their_whole() {
    let mut table = table();
    let thing = |kind, key: u32| Thing::new(kind, key);
    let (model, other) = (thing(Kind::Model, 1), thing(Kind::Model, 2));
    let context = thing(Kind::ModelContext, 1);
    let (pool, block) = (thing(Kind::Pool, 1), thing(Kind::Block, 5));
    for grant in [
        Grant::new(model, 0, None, 0),
        Grant::new(other, 0, None, 0),
        Grant::new(context, 0, Some(model), 0),
        Grant::new(pool, 0, None, PAGE),
        Grant::new(block, PAGE, Some(pool), 5),
        Grant::new(memory(BASE), PAGE, Some(pool), 5),
        Grant::new(memory(BASE + PAGE), PAGE, Some(pool), 6),
    ] {
        assert!(table.give(grant));
    }
    let by = call(1);
    assert!(table.name(&Named::Part(context, model), &by).is_ok());
    assert!(table.name(&Named::Part(context, other), &by).is_err());
    // A block's memory goes with the block, not by itself.
    let memory_alone = Taken::Whole(memory(BASE));
    assert_eq!(table.check_take(&memory_alone, &by), Err(Denial::NotGiven));
    let gone = take(&mut table, Taken::Whole(block), &by).unwrap();
    assert_eq!(gone.len(), 2);
    assert!(table.name(&range(BASE, 1), &by).is_err());
    assert!(table.name(&range(BASE + PAGE, 1), &by).is_ok());
    assert!(
        take(&mut table, Taken::Whole(pool), &copy(9)).is_err(),
        "used"
    );
    let by = call(1);
    assert_eq!(take(&mut table, Taken::Whole(pool), &by).unwrap().len(), 2);
    assert!(take(&mut table, Taken::Whole(other), &by).is_ok());
    assert_eq!(take(&mut table, Taken::Models, &by).unwrap().len(), 2);
    assert_eq!(table.wanted(), 0);
}

fn native_answer(module: u32, blobs: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![0; 4096];
    let mut writer = Writer::new(&mut message);
    writer.message(2, |w| {
        w.message(2, |w| {
            w.message(2, |w| {
                w.message(module + 1, |w| {
                    w.varint(1, 3);
                    blobs.iter().for_each(|blob| w.bytes(2, blob));
                });
            });
        });
    });
    let length = writer.finish().unwrap();
    [&[0; 28][..], &message[..length]].concat()
}

fn runtime_answer(service: u32, fields: &[(u32, u64)]) -> Vec<u8> {
    let mut message = vec![0; 256];
    let mut writer = Writer::new(&mut message);
    writer.message(2, |w| {
        w.message(1, |w| {
            w.message(2, |w| {
                w.message(service + 1, |w| {
                    w.message(2, |w| fields.iter().for_each(|(n, v)| w.varint(*n, *v)));
                });
            });
        });
    });
    let length = writer.finish().unwrap();
    [&[0; 28][..], &message[..length]].concat()
}

fn read(module: u32, native: bool, effect: Effect, answer: &[u8]) -> (Said, Vec<Grant>) {
    let kind = u32::from_le_bytes([native.into(), module as u8, 0, 0]);
    let header = Header {
        kind,
        ..Header::default()
    };
    let mut given = Vec::new();
    let roots = [Kind::Pool, Kind::Decoder, Kind::Encoder];
    let there = |thing: Thing| {
        let is_root = roots.contains(&thing.kind);
        is_root.then(|| Grant::new(thing, 0, None, PAGE))
    };
    let said = learn(header.target(), &effect, answer, there, &mut |g| {
        given.push(g)
    });
    assert!(matches!(
        header.target(),
        Target::Native { .. } | Target::Runtime { .. }
    ));
    (said, given)
}

#[test]
fn answers_that_give() {
    let give = Effect::Gives(Gift::Memory(100));
    let (said, given) = read(1, false, give, &runtime_answer(1, &[(2, BASE)]));
    assert_eq!(
        (said, given[0].thing, given[0].size),
        (Said::Yes(None), memory(BASE), 100)
    );
    let (said, given) = read(
        1,
        false,
        give,
        &runtime_answer(1, &[(1, 0x8030_0507), (2, BASE)]),
    );
    assert_eq!((said, given.len()), (Said::No, 0));
    // Success, but nothing given; and no answer to this at all.
    assert_eq!(
        read(1, false, give, &runtime_answer(1, &[])).0,
        Said::Nothing
    );
    assert_eq!(
        read(1, false, give, &runtime_answer(2, &[(2, BASE)])).0,
        Said::Nothing
    );
    assert_eq!(read(1, false, give, &[0; 27]).0, Said::Nothing);

    let model = Effect::Gives(Gift::Model);
    let (said, given) = read(2, false, model, &runtime_answer(2, &[(4, 7)]));
    assert_eq!(
        (said, given[0].thing),
        (Said::Yes(None), Thing::new(Kind::Model, 7u32))
    );
    let failed = runtime_answer(2, &[(1, -5i64 as u64), (4, 7)]);
    assert_eq!(read(2, false, model, &failed).0, Said::No);

    let ok = [0; 4];
    let pool = Thing::new(Kind::Pool, 1u32);
    let block = Effect::Gives(Gift::Block(pool, 9 * PAGE));
    let (said, given) = read(0, true, block, &native_answer(0, &[&[5, 0, 0, 0]]));
    // No more than the pool's blocks have, whatever was asked for.
    assert_eq!((said, given[0].size), (Said::Yes(None), PAGE));
    assert_eq!(read(0, true, block, &native_answer(0, &[&ok])).0, Said::No);
    assert_eq!(
        read(0, true, block, &native_answer(0, &[&[5]])).0,
        Said::Nothing
    );
    let decoder = Effect::Gives(Gift::Decoder);
    let (said, given) = read(1, true, decoder, &native_answer(1, &[&ok, &[3, 0, 0, 0]]));
    assert_eq!(
        (said, given[0].thing),
        (Said::Yes(None), Thing::new(Kind::Decoder, 3u32))
    );
    assert_eq!(
        read(
            1,
            true,
            decoder,
            &native_answer(1, &[&[1; 4], &[3, 0, 0, 0]])
        )
        .0,
        Said::No
    );
}

#[test]
fn pictures_and_packets() {
    let decoder = Thing::new(Kind::Decoder, 3u32);
    let effect = Effect::Gives(Gift::Picture(decoder));
    let mut info = [0u8; 240];
    for (at, word) in [
        (0, 64u32),
        (4, 30),
        (8, 3),
        (32, 64),
        (36, 64),
        (164, 9),
        (168, 9),
    ] {
        info[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    info[56..64].copy_from_slice(&BASE.to_le_bytes());
    info[64..72].copy_from_slice(&(BASE + 64 * 30).to_le_bytes());
    let (said, given) = read(1, true, effect, &native_answer(1, &[&[0; 4], &info]));
    assert_eq!(said, Said::Yes(None));
    // Both planes are one piece, and the block is named.
    assert_eq!((given[0].thing, given[0].size), (memory(BASE), 64 * 45));
    assert_eq!(given[1].thing, Thing::new(Kind::Block, 9u32));
    let mut table = table();
    given.iter().for_each(|grant| assert!(table.give(*grant)));
    let places = Places::read(&info).unwrap();
    let by = call(1);
    let mut forged = places;
    forged.blocks[1] = 10;
    let taken = |places| Taken::Picture(decoder, places);
    assert_eq!(table.check_take(&taken(forged), &by), Err(Denial::NotGiven));
    forged = places;
    forged.planes[1] = BASE + 64 * 45 + 1;
    assert_eq!(table.check_take(&taken(forged), &by), Err(Denial::NotGiven));
    let other = Taken::Picture(Thing::new(Kind::Decoder, 4u32), places);
    assert_eq!(table.check_take(&other, &by), Err(Denial::NotGiven));
    // Its block is not to be given back by itself.
    let block = Taken::Whole(Thing::new(Kind::Block, 9u32));
    assert_eq!(table.check_take(&block, &by), Err(Denial::NotGiven));
    assert_eq!(take(&mut table, taken(places), &by).unwrap().len(), 2);
    // Compressed: of what extent is not known.
    info[16] = 1;
    assert_eq!(Picture::read(&info), None);
    let (_, given) = read(1, true, effect, &native_answer(1, &[&[0; 4], &info]));
    assert!(given.iter().all(|grant| grant.size <= 1), "{given:?}");

    let encoder = Thing::new(Kind::Encoder, 2u32);
    let effect = Effect::Gives(Gift::Packet(encoder));
    let mut packet = vec![0u8; 1200];
    packet[..8].copy_from_slice(&BASE.to_le_bytes());
    packet[16..20].copy_from_slice(&777u32.to_le_bytes());
    packet[24] = 5;
    packet[40] = 6;
    let (said, given) = read(2, true, effect, &native_answer(2, &[&[0; 4], &packet]));
    let mark = Mark {
        user_data: 6,
        time: 5,
    };
    assert_eq!((said, given[0].size), (Said::Yes(Some(mark)), 777));
    let marks = |list: &[(u64, u64)]| -> Vec<Mark> {
        let mark = |(user_data, time): &(u64, u64)| Mark {
            user_data: *user_data,
            time: *time,
        };
        list.iter().map(mark).collect()
    };
    for (list, position) in [
        // The card may have lost the number.
        (vec![(1, 5), (6, 5)], 0),
        (vec![(6, 5), (6, 5)], 0),
        (vec![(1, 1), (9, 5)], 1),
        (vec![(1, 1), (2, 2)], 0),
    ] {
        assert_eq!(
            mark.position(marks(&list).into_iter()),
            position,
            "{list:?}"
        );
    }
}

/// Pictures, packets and contexts of what was given back meanwhile are nobody's.
#[test]
fn K33_parts_of_what_is_gone_are_not_given() {
    let gone = |target: Target, gift, answer: &[u8]| {
        let mut given = 0;
        let said = learn(target, &Effect::Gives(gift), answer, |_| None, &mut |_| {
            given += 1;
        });
        (said, given)
    };
    let native = |module, api| Target::Native { module, api };
    let nothing = (Said::Nothing, 0);
    let mut info = [0u8; 240];
    info[56..64].copy_from_slice(&BASE.to_le_bytes());
    let picture = native_answer(1, &[&[0; 4], &info]);
    let decoder = Gift::Picture(Thing::new(Kind::Decoder, 3u32));
    assert_eq!(gone(native(1, 18), decoder, &picture), nothing);
    let mut packet = vec![0u8; 1200];
    packet[..8].copy_from_slice(&BASE.to_le_bytes());
    packet[16] = 7;
    let packet = native_answer(2, &[&[0; 4], &packet]);
    let encoder = Gift::Packet(Thing::new(Kind::Encoder, 2u32));
    assert_eq!(gone(native(2, 13), encoder, &packet), nothing);
    let context = Gift::ModelContext(Thing::new(Kind::Model, 1u32));
    let answer = runtime_answer(2, &[(4, 7)]);
    assert_eq!(
        gone(
            Header {
                kind: 0x0200,
                ..Header::default()
            }
            .target(),
            context,
            &answer
        ),
        nothing
    );
}

proptest! {
    /// The table against one that looks at every entry and byte.
    #[test]
    fn agrees_with_a_simple_one(
        given in prop::collection::vec((0u64..64, 1u64..8), 0..40),
        freed in prop::collection::vec(0usize..40, 0..20),
        asked in prop::collection::vec((0u64..80, 0u64..12), 0..40),
    ) {
        let mut table = table();
        let mut simple: Vec<(u64, u64)> = Vec::new();
        for &(at, len) in &given {
            let free = simple.iter().all(|&(a, l)| at + len <= a || a + l <= at);
            let same = simple.contains(&(at, len));
            prop_assert_eq!(give_memory(&mut table, BASE + at, len), free || same);
            if free {
                simple.push((at, len));
            }
        }
        for index in freed {
            if index < simple.len() {
                let (at, _) = simple.swap_remove(index);
                let taken = Taken::Whole(memory(BASE + at));
                prop_assert!(take(&mut table, taken, &call(1)).is_ok());
            }
        }
        prop_assert_eq!(table.wanted(), simple.len());
        for (at, len) in asked {
            let inside = simple.iter().any(|&(a, l)| a <= at && at + len <= a + l);
            let named = table.name(&range(BASE + at, len), &call(1)).is_ok();
            if len > 0 {
                prop_assert_eq!(named, inside);
                let overlaps = simple.iter().any(|&(a, l)| at < a + l && a < at + len);
                prop_assert_eq!(table.overlaps(BASE + at, len), overlaps);
            } else {
                prop_assert!(!named || inside);
            }
        }
    }
}
