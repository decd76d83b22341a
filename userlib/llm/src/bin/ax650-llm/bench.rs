// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650-llm bench`: how fast answers come, and what a token costs on the bus.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650_command::failure::Failure;
use ax650_command::{interrupt, standard};
use ax650_llm::{Chat, Network, Sampler, Sampling};
use serde_json::json;

use crate::args::{Arguments, Bench};
use crate::costs::Costs;
use crate::load;

/// Measures and prints.
pub fn bench(arguments: &Arguments, options: &Bench) -> Result<(), Failure> {
    if options.prompt_tokens == 0 || options.tokens == 0 {
        return Err(Failure::usage("there must be a token at least"));
    }
    let begin = Instant::now();
    let (card, network) = load(arguments, &options.model)?;
    let loading = begin.elapsed();
    let context = network.description.context;
    let wanted = options.prompt_tokens + options.tokens;
    if wanted > context {
        let text = format!("{wanted} tokens, and the model has room for {context}");
        return Err(Failure::usage(text));
    }
    let chats = usize::from(options.chats);
    let mut all: Vec<Chat> = (0..chats)
        .map(|_| Chat::new(network.clone()))
        .collect::<Result<_, _>>()?;
    // What the first run of a model sets up belongs to loading.
    warm_up(&network)?;
    let before = Costs::now(&card)?;
    let begin = Instant::now();
    let logits = each(&mut all, |chat, _| {
        chat.feed(&prompt(&network, options.prompt_tokens))
    })?;
    let first_token = begin.elapsed();
    let after_prompt = Costs::now(&card)?;
    let begin = Instant::now();
    each(&mut all, |chat, number| {
        let mut sampler = Sampler::new(Sampling::default())?;
        let mut logits = logits[number].clone();
        for _ in 0..options.tokens {
            if interrupt::is_pending() {
                break;
            }
            logits = chat.feed(&[sampler.choose(&logits)?])?;
        }
        Ok(logits)
    })?;
    let time = begin.elapsed();
    interrupt::check()?;
    let after = Costs::now(&card)?;
    let count = options.tokens * chats;
    let costs = after.since(after_prompt);
    let rate = count as f64 / time.as_secs_f64();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let report = json!({
        "model": network.description.name,
        "layers": network.description.layers,
        "chats": chats,
        "prompt_tokens": options.prompt_tokens,
        "tokens": options.tokens,
        "load_ms": ms(loading),
        "first_token_ms": ms(first_token),
        "tokens_per_second": rate,
        "calls_per_token": network.description.layers + 1,
        "prompt": after_prompt.since(before).each(chats),
        "token": costs.each(count),
    });
    let text = match options.json {
        true => format!("{report:#}\n"),
        false => {
            let [token, prompt] = ["token", "prompt"].map(|what| line(&report[what]));
            format!(
                "{}: {} layers, {chats} at a time\nloaded in {:.1} s, first token after {:.0} ms ({} tokens of prompt)\n\
                 {rate:.2} tokens/s\na token: {} calls of models; {token}\na prompt: {prompt}\n",
                network.description.name,
                network.description.layers,
                loading.as_secs_f64(),
                ms(first_token),
                options.prompt_tokens,
                network.description.layers + 1,
            )
        }
    };
    standard::output()?.write_all(text.as_bytes())?;
    Ok(())
}

/// Describes costs in words.
fn line(costs: &serde_json::Value) -> String {
    format!(
        "{} messages, {} doorbells, {} interrupts, {} bytes to the card, {} from it",
        costs["messages"],
        costs["doorbells"],
        costs["interrupts"],
        costs["bytes_to_card"],
        costs["bytes_from_card"]
    )
}

/// Makes a prompt of `count` tokens, which mean nothing.
fn prompt(network: &Network, count: usize) -> Vec<u32> {
    let vocabulary = network.description.vocabulary as u32;
    (0..count as u32)
        .map(|at| (at * 7 + 3) % vocabulary)
        .collect()
}

/// Runs each shape group once.
fn warm_up(network: &Arc<Network>) -> Result<(), Failure> {
    let mut chat = Chat::new(network.clone())?;
    for count in [2, 1] {
        if chat.tokens().len() + count <= network.description.context {
            chat.feed(&prompt(network, count))?;
        }
    }
    Ok(())
}

/// Does `work` with all chats at the same time.
fn each<T: Send>(
    chats: &mut [Chat],
    work: impl Fn(&mut Chat, usize) -> ax650_llm::Result<T> + Sync,
) -> Result<Vec<T>, Failure> {
    let results: Vec<_> = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = chats
            .iter_mut()
            .enumerate()
            .map(|(number, chat)| scope.spawn(move || work(chat, number)))
            .collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    let results = results.into_iter().map(|result| {
        let result = result.map_err(|_| Failure::of("internal error"))?;
        Ok(result?)
    });
    results.collect()
}
