// SPDX-License-Identifier: MIT OR Apache-2.0

//! Threads that poll a port and read, for ever, as those of AXCL's runtime do: what they see when the
//! port is given back or lost (8.2), and that they do not turn in circles.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::kernel;

use super::support::{canary, card, recovers, wait_alive, within};
use crate::node::host::{HostNode, Packet};
use crate::node::message::MessageNode;

ax650_test_kit::cases!["axcl_abi":
    B1_listeners_sleep_after_destroy,
    B1_listeners_after_a_reset { timeout_s: 120 },
    B1_listeners_after_death { timeout_s: 120 },
    B1_listeners_after_removal { timeout_s: 120 },
];

/// Ports that listeners have: that of answers, and that of transfers begun by the card.
const LISTENED: [usize; 2] = [3, 1];

/// Wake-ups that may come of the loss of a port.
const FEW: u32 = 20;

/// A thread's loop: waits without a limit, and reads whatever has woken it.
struct Listener {
    file: MessageNode,
    wakes: AtomicU32,
    hangups: AtomicU32,
}

impl Listener {
    fn run(&self, stopping: &AtomicBool) {
        while !stopping.load(Ordering::Acquire) {
            // The limit is there for a case that fails, and longer than any case watches.
            let events = self.file.node.poll(libc::POLLIN, Duration::from_secs(60));
            let events = events.unwrap_or(libc::POLLNVAL);
            if events == 0 {
                continue;
            }
            self.wakes.fetch_add(1, Ordering::Relaxed);
            if events & libc::POLLHUP != 0 {
                self.hangups.fetch_add(1, Ordering::Relaxed);
            }
            let _ = self.file.node.read(&mut [0; 2048]);
        }
    }
}

/// Runs two listeners of a new group, does `event` to the group, and gives the wake-ups and hang-ups that
/// each has seen some seconds later.  STOP must end both.
fn listen(event: impl FnOnce(&HostNode, u32, &Packet) -> Result<()>) -> Result<Vec<(u32, u32)>> {
    let (host, id) = card()?;
    let packet = host.create(id)?;
    let mut listeners = Vec::new();
    for role in LISTENED {
        let file = MessageNode::connected(id, packet.ports[role])?;
        listeners.push(Listener {
            file,
            wakes: AtomicU32::new(0),
            hangups: AtomicU32::new(0),
        });
    }
    let stopping = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = listeners
            .iter()
            .map(|listener| scope.spawn(|| listener.run(&stopping)))
            .collect();
        std::thread::sleep(Duration::from_millis(200));
        let done = event(&host, id, &packet);
        std::thread::sleep(Duration::from_secs(3));
        let seen = listeners
            .iter()
            .map(|listener| {
                let count = |of: &AtomicU32| of.load(Ordering::Relaxed);
                (count(&listener.wakes), count(&listener.hangups))
            })
            .collect();
        stopping.store(true, Ordering::Release);
        let begin = Instant::now();
        for listener in &listeners {
            listener.file.stop().context("stop")?;
        }
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("panic"))?;
        }
        within(begin, Duration::from_secs(2), "ending the listeners")?;
        done.map(|()| seen)
    })
}

/// The ports are lost: listeners are told, and not for ever.
fn are_told(seen: &[(u32, u32)]) -> Result<()> {
    for &(wakes, hangups) in seen {
        ensure!(hangups > 0, "a listener has not heard of it: {seen:?}");
        ensure!(wakes <= FEW, "listeners turn in circles: {seen:?}");
    }
    Ok(())
}

/// The program's own destroy wakes nobody: its listeners sleep until they are told to stop.
fn B1_listeners_sleep_after_destroy(_: &mut Context) -> Result<()> {
    let seen = listen(|host, _, packet| host.destroy(packet).context("destroy"))?;
    ensure!(seen.iter().all(|&(wakes, _)| wakes == 0), "{seen:?}");
    // Nor does the end of the file that had the ports.
    let (host, id) = card()?;
    let packet = host.create(id)?;
    let file = MessageNode::connected(id, packet.ports[3])?;
    drop(host);
    let events = file.node.poll(libc::POLLIN, Duration::from_secs(1))?;
    ensure!(events == 0, "{events:#x}");
    // The file is as good as before.
    let again = HostNode::open()?;
    let packet = again.create(id)?;
    file.connect(id as i32, packet.ports[3] as i32)?;
    ensure!(file.node.poll(libc::POLLIN, Duration::ZERO)? == 0);
    canary()
}

fn B1_listeners_after_a_reset(_: &mut Context) -> Result<()> {
    let seen = listen(|host, id, _| host.reboot(id).context("reboot"))?;
    are_told(&seen)?;
    wait_alive(&HostNode::open()?)?;
    recovers("a reboot")
}

fn B1_listeners_after_death(context: &mut Context) -> Result<()> {
    let seen = listen(|host, id, _| {
        context.host.switch(0, "all_ones", true)?;
        let limit = Duration::from_secs(10) * kernel::slowness();
        kernel::until("the card to be dead", limit, || {
            Ok(host.status()?.get(id as usize) != Some(&crate::node::host::ALIVE))
        })
    })?;
    context.host.clear(0)?;
    are_told(&seen)?;
    wait_alive(&HostNode::open()?)?;
    recovers("ones")
}

fn B1_listeners_after_removal(context: &mut Context) -> Result<()> {
    let seen = listen(|_, _, _| context.host.unplug(0))?;
    context.host.plug(0)?;
    are_told(&seen)?;
    wait_alive(&HostNode::open()?)?;
    recovers("a removal")
}
