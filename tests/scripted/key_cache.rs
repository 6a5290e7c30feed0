//! What empties the key cache: a refusal of the keys, and nothing else.

use barepg::{Client, Error, ErrorKind, KeyCache, Storage};

use super::crypto::exchange;
use super::peer::{Delivery, Machine, Peer};
use super::startup::{SCRAM, config};
use super::transcript::read;

/// Logs in as `text` has it, with the keys of an earlier login in the cache. Returns the error
/// and whether the keys are still there.
fn play(text: &str) -> (Option<Error>, bool) {
    let scram = exchange(8);
    let names = [
        ("server-first", scram.server_first.as_str()),
        ("client-final", scram.client_final.as_str()),
        ("server-final", scram.server_final.as_str()),
    ];
    let machine = Machine::default();
    let (mut storage, mut cache) = (Storage::<512, 512>::new(), KeyCache::new());
    let config = config().scram_iterations(8, 8);
    let mut client = Client::new(storage.buffers(), &config, &machine);
    client.set_key_cache(&mut cache);
    let login = |client: &mut Client<'_>, text: &str| {
        let peer = Peer::new(&read(text, &names), Delivery::WHOLE, &machine);
        client.connect(peer.transport()).and_then(|connection| connection.close()).err()
    };
    let first = login(&mut client, &format!("@start\n{SCRAM}\n@settle\n@bye"));
    assert_eq!(first, None);
    assert!(client.key_cache().unwrap().scram().is_some());
    let error = login(&mut client, text);
    (error, client.key_cache().unwrap().scram().is_some())
}

/// The lines of the exchange up to and with the client's message number `messages`.
fn until(messages: usize) -> String {
    let lines: Vec<&str> = SCRAM.trim().lines().collect();
    format!("@start\n{}", lines[..2 * messages].join("\n"))
}

fn fatal(state: &str) -> String {
    format!("<<< E 'SFATAL' #00 'VFATAL' #00 'C{state}' #00 'Mno' #00 #00\n--- eof")
}

#[test]
fn a_server_that_is_busy_leaves_the_keys() {
    let settling = format!("@start\n{SCRAM}\n<<< R 0");
    for state in ["53300", "57P01", "57P02", "57P03", "08P01", "3D000", "XX000"] {
        for before in [until(0), until(1), until(2), settling.clone()] {
            let (error, kept) = play(&format!("{before}\n{}", fatal(state)));
            let state_of_error =
                error.and_then(|error| error.sqlstate()).map(|state| state.to_string());
            assert_eq!(state_of_error.as_deref(), Some(state), "{before}");
            assert!(kept, "{state} after {before}");
        }
    }
}

#[test]
fn refused_keys_are_forgotten() {
    for state in ["28P01", "28000"] {
        let (error, kept) = play(&format!("{}\n{}", until(2), fatal(state)));
        assert!(matches!(error.unwrap().kind(), ErrorKind::Server(_)));
        assert!(!kept, "{state}");
    }
    // The server proves nothing.
    let wrong = "<<< R 12 'v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='\n<<< R 0";
    for line in [wrong, "<<< R 12 'e=invalid-proof'"] {
        let (error, kept) = play(&format!("{}\n{line}\n--- eof", until(2)));
        assert!(matches!(error.unwrap().kind(), ErrorKind::Auth(_)));
        assert!(!kept, "{line}");
    }
}

/// The keys fitted.
#[test]
fn a_role_that_may_not_log_in_leaves_the_keys() {
    assert!(play(&format!("@start\n{SCRAM}\n<<< R 0\n{}", fatal("28000"))).1);
}

#[test]
fn a_lost_link_leaves_the_keys() {
    for messages in 0..3 {
        let (error, kept) = play(&format!("{}\n--- eof", until(messages)));
        assert!(matches!(error.unwrap().kind(), ErrorKind::Closed | ErrorKind::HungUp));
        assert!(kept);
    }
}
