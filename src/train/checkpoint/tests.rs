use super::*;
use crate::train::events::{Position, Scored};

fn slots(value: f32) -> Vec<Slot> {
    let odd = [value, -0.0, f32::MIN_POSITIVE / 2.0, f32::NAN, f32::INFINITY, 1.0 / 3.0];
    vec![
        Slot { name: "reader.w".into(), shape: vec![2, 3], data: odd.to_vec() },
        Slot { name: "optimizer/m/reader.w".into(), shape: vec![6], data: vec![value; 6] },
        Slot { name: "empty".into(), shape: vec![0], data: vec![] },
    ]
}

fn state(step: usize) -> RunState {
    let position = Position { total_step: step, step, ..Position::default() };
    let score = Scored { name: "x".into(), value: 0.1 + 0.2, higher_is_better: true };
    let file = "weights-x.safetensors".to_owned();
    let best = Some(Best { score, dev: vec![], epoch: 1, file });
    RunState { seed: u64::MAX, position, best, ..RunState::default() }
}

fn store() -> (tempfile::TempDir, Checkpoints) {
    let dir = tempfile::tempdir().unwrap();
    let store = Checkpoints::open(dir.path()).unwrap();
    store.write_weights("weights-x.safetensors".into(), &slots(9.0)).unwrap();
    (dir, store)
}

fn latest(store: &Checkpoints) -> (Result<Option<Loaded>, Diagnostic>, Vec<Diagnostic>) {
    let mut warnings = Vec::new();
    let found = store.latest(&mut |warning| warnings.push(warning));
    (found, warnings)
}

#[test]
fn comes_back_bit_for_bit() {
    let (_dir, store) = store();
    assert!(latest(&store).0.unwrap().is_none());
    store.write(&state(1), &slots(1.5)).unwrap();
    let loaded = latest(&store).0.unwrap().unwrap();
    assert_eq!(loaded.state, state(1));
    for slot in slots(1.5) {
        let bits = |data: &[f32]| data.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&loaded.arrays[&slot.name]), bits(&slot.data), "{}", slot.name);
    }
}

#[test]
fn the_same_state_is_the_same_file() {
    let (_dir, store) = store();
    let path = store.write(&state(1), &slots(1.5)).unwrap();
    let first = std::fs::read(&path).unwrap();
    store.write(&state(1), &slots(1.5)).unwrap();
    assert_eq!(first, std::fs::read(&path).unwrap());
}

#[test]
fn keeps_two_and_what_they_need() {
    let (_dir, store) = store();
    store.write_weights("weights-old.safetensors".into(), &slots(0.0)).unwrap();
    for step in 1..5 {
        store.write(&state(step), &slots(step as f32)).unwrap();
    }
    let mut names: Vec<_> = store.files().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].contains("000000003") && names[1].contains("000000004"));
    assert_eq!(names[2], "weights-x.safetensors");
}

#[test]
fn any_flipped_byte_is_noticed() {
    let (_dir, store) = store();
    let path = store.write(&state(1), &slots(1.5)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let (found, _) = latest(&store);
        // A blank that fills the header up may change without harm only into another blank.
        assert!(found.is_err(), "byte {place} of {}", whole.len());
    }
}

#[test]
fn any_truncation_is_noticed() {
    let (_dir, store) = store();
    let path = store.write(&state(1), &slots(1.5)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(latest(&store).0.is_err(), "{length}");
    }
    std::fs::write(&path, [whole.clone(), vec![0]].concat()).unwrap();
    assert!(latest(&store).0.is_err(), "longer");
}

#[test]
fn falls_back_to_the_one_before() {
    let (_dir, store) = store();
    store.write(&state(1), &slots(1.0)).unwrap();
    let newest = store.write(&state(2), &slots(2.0)).unwrap();
    std::fs::write(&newest, b"rubbish").unwrap();
    let (found, warnings) = latest(&store);
    assert_eq!(found.unwrap().unwrap().state.position.step, 1);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, codes::DAMAGED_CHECKPOINT);
    assert!(warnings[0].message.contains(newest.to_str().unwrap()));
}

#[test]
fn damage_everywhere_is_an_error() {
    let (_dir, store) = store();
    for step in 1..3 {
        let path = store.write(&state(step), &slots(1.0)).unwrap();
        std::fs::write(&path, b"rubbish").unwrap();
    }
    let (found, _) = latest(&store);
    assert_eq!(found.unwrap_err().code, codes::CHECKPOINT);
}

#[test]
fn damaged_best_weights_damage_the_state() {
    let (_dir, store) = store();
    store.write(&state(1), &slots(1.0)).unwrap();
    std::fs::write(store.path("weights-x.safetensors"), b"rubbish").unwrap();
    let error = latest(&store).0.unwrap_err();
    assert!(error.message.contains("weights-x"), "{}", error.message);
}

#[test]
fn what_cannot_be_written_is_said_and_nothing_is_lost() {
    let (dir, store) = store();
    store.write(&state(1), &slots(1.0)).unwrap();
    // A folder in the way of the next file, which no rename can replace.
    std::fs::create_dir_all(store.path(&name_of(&state(2))).join("in the way")).unwrap();
    let error = store.write(&state(2), &slots(2.0)).unwrap_err();
    assert_eq!(error.code, codes::OUTPUT);
    assert!(error.message.contains("step-000000002"), "{}", error.message);
    std::fs::remove_dir_all(store.path(&name_of(&state(2)))).unwrap();
    assert_eq!(latest(&store).0.unwrap().unwrap().state, state(1));
    assert!(store.files().all(|p| !p.to_str().unwrap().contains(".part-")));
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(Checkpoints::open(&file).unwrap_err().code, codes::OUTPUT);
}
