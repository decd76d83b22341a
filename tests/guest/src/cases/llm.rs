// SPDX-License-Identifier: MIT OR Apache-2.0

//! Language models: the command `ax650-llm` with a small model of random weights, whose tokens are those that ONNX Runtime
//! on the CPU gives (tests/llm/README.md).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use serde_json::{json, Value};

use crate::ax650_llm::{json_of, model_file, run, write, ModelFile};
use crate::case::{Context, STOCK};

crate::cases!["llm":
    tokens_are_those_of_onnx_runtime { timeout_s: 60 },
    a_token_is_one_job { timeout_s: 60, kernels: STOCK },
    answers_end_with_the_context { timeout_s: 60, kernels: STOCK },
    // The debug kernel has no network.
    served_as_openai_has_it { timeout_s: 60, kernels: STOCK },
];

const HOME: &str = "/tmp/llm/tiny";

const FILES: [ModelFile; 6] = [
    model_file!("tiny", "model.json"),
    model_file!("tiny", "tokenizer.json"),
    model_file!("tiny", "embeddings.bf16"),
    model_file!("tiny", "head.onnx"),
    model_file!("tiny", "layer_0.onnx"),
    model_file!("tiny", "layer_1.onnx"),
];

/// What ONNX Runtime on the CPU answers.
const REFERENCE: &str = include_str!("../../../data/llm/tiny.jsonl");

fn reference() -> Result<Vec<Value>> {
    REFERENCE
        .lines()
        .map(|line| serde_json::from_str(line).context("tiny.jsonl"))
        .collect()
}

fn tokens_are_those_of_onnx_runtime(_: &mut Context) -> Result<()> {
    write(HOME, &FILES)?;
    for want in reference()? {
        let user = want["user"].as_str().context("user")?;
        let count = want["answer"]
            .as_array()
            .context("answer")?
            .len()
            .to_string();
        let args = ["run", HOME, "--prompt", user, "-n", &count, "--json", "-q"];
        let have = json_of(&args)?;
        ensure!(have["tokens"] == want["answer"], "{user}: {have} {want}");
        ensure!(have["text"] == want["text"], "{user}: {have} {want}");
    }
    // By chance, but the same one.
    let args = [
        "run",
        HOME,
        "-p",
        "Hello you",
        "-n",
        "12",
        "-t",
        "1.5",
        "--top-k",
        "40",
        "--json",
        "-q",
    ];
    let seeded = |seed: &str| json_of(&[&args[..], &["--seed", seed]].concat());
    let (one, again, two) = (seeded("1")?, seeded("1")?, seeded("2")?);
    ensure!(
        one["tokens"] == again["tokens"] && one["tokens"] != two["tokens"],
        "{one} {two}"
    );
    Ok(())
}

/// All layers and the head go to the card together; besides there is one copy, of the logits.
fn a_token_is_one_job(_: &mut Context) -> Result<()> {
    write(HOME, &FILES)?;
    let report = json_of(&[
        "bench",
        HOME,
        "--prompt-tokens",
        "20",
        "-n",
        "40",
        "--json",
        "-q",
    ])?;
    eprintln!("{report:#}");
    let token = |what: &str| report["token"][what].as_f64().context("a number");
    // Three calls with their answers, and what the card says of a copy.  So few are left to interrupts: the driver
    // looks for the answers of four and more.
    ensure!(token("messages")? <= 7.2, "{report}");
    ensure!((2.0..2.3).contains(&token("doorbells")?), "{report}");
    ensure!(token("interrupts")? <= 4.2, "{report}");
    ensure!(token("bytes_to_card")? == 0.0, "{report}");
    ensure!(token("bytes_from_card")? == 296.0 * 2.0, "{report}");
    // Several chats do not cost more.
    let three = json_of(&["bench", HOME, "--chats", "3", "-n", "20", "--json", "-q"])?;
    let doorbells = three["token"]["doorbells"].as_f64().context("a number")?;
    ensure!(doorbells < 2.3, "{three}");
    Ok(())
}

fn answers_end_with_the_context(_: &mut Context) -> Result<()> {
    write(HOME, &FILES)?;
    let output = run(&["run", HOME, "-p", "Hello you", "--json", "-q"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let made = report["tokens"].as_array().context("tokens")?.len();
    let prompt = report["prompt_tokens"].as_u64().context("prompt")? as usize;
    match report["end"].as_str() {
        // The last one is not in the caches.
        Some("context_full") => ensure!(
            prompt + made == 97 && said.contains("the context is full (96 tokens)"),
            "{report} {said}"
        ),
        end => ensure!(end == Some("stop") && prompt + made <= 96, "{report}"),
    }
    let long = "word ".repeat(60);
    let output = run(&["run", HOME, "-p", &long, "-q"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1)
            && said.contains("the context is full: ")
            && said.contains("the model has room for 96"),
        "{said}"
    );
    Ok(())
}

/// A server that is ended with the case.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ADDRESS: &str = "127.0.0.1:8650";

/// Sends a request and returns status and body.
fn http(method: &str, path: &str, body: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(ADDRESS)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no body")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, body.to_owned()))
}

fn served_as_openai_has_it(_: &mut Context) -> Result<()> {
    write(HOME, &FILES)?;
    Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    let serve = [
        "serve", HOME, "--listen", ADDRESS, "--chats", "1", "--queue", "1", "-q",
    ];
    let mut server = Server(Command::new("ax650-llm").args(serve).spawn()?);
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(ADDRESS).is_err() {
        ensure!(Instant::now() < until, "the server does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (status, body) = http("GET", "/v1/models", "")?;
    let models: Value = serde_json::from_str(&body)?;
    ensure!(
        status == 200 && models["data"][0]["id"] == "tiny",
        "{status} {body}"
    );

    let want = reference()?.remove(0);
    let count = want["answer"].as_array().context("answer")?.len();
    let request = json!({
        "model": "tiny", "messages": [{"role": "user", "content": want["user"]}],
        "temperature": 0, "max_tokens": count,
    });
    let (status, body) = http("POST", "/v1/chat/completions", &request.to_string())?;
    let answer: Value = serde_json::from_str(&body)?;
    let choice = &answer["choices"][0];
    ensure!(
        status == 200 && choice["message"]["content"] == want["text"],
        "{status} {body}"
    );
    ensure!(choice["finish_reason"] == "length", "{body}");
    ensure!(answer["usage"]["completion_tokens"] == count, "{body}");

    let mut streamed = request.clone();
    streamed["stream"] = true.into();
    let (status, body) = http("POST", "/v1/chat/completions", &streamed.to_string())?;
    ensure!(status == 200, "{status} {body}");
    let mut text = String::new();
    let data: Vec<_> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let (end, pieces) = data.split_last().context("no data")?;
    for piece in pieces {
        let piece: Value = serde_json::from_str(piece)?;
        text += piece["choices"][0]["delta"]["content"]
            .as_str()
            .unwrap_or("");
    }
    ensure!(*end == "[DONE]" && want["text"] == text.as_str(), "{body}");

    for (method, path, body, status, says) in [
        ("POST", "/v1/chat/completions", "{", 400, "the body: "),
        (
            "POST",
            "/v1/chat/completions",
            r#"{"model":"big","messages":[{"role":"user","content":""}]}"#,
            404,
            "big",
        ),
        ("GET", "/v1/other", "", 404, "there is no such thing"),
        (
            "GET",
            "/v1/chat/completions",
            "",
            405,
            "not with this method",
        ),
    ] {
        let (have, said) = http(method, path, body)?;
        let error: Value = serde_json::from_str(&said)?;
        let message = error["error"]["message"].as_str().context("no message")?;
        ensure!(
            have == status && message.contains(says),
            "{path} {body}: {have} {said}"
        );
    }
    // One is answered, one waits, the others are told so.
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let body = request.to_string();
            std::thread::spawn(move || http("POST", "/v1/chat/completions", &body))
        })
        .collect();
    let mut busy = 0;
    for thread in threads {
        let (status, body) = thread.join().ok().context("a thread")??;
        let body: Value = serde_json::from_str(&body)?;
        match status {
            200 => ensure!(
                body["choices"][0]["message"]["content"] == want["text"],
                "{body}"
            ),
            503 => busy += 1,
            other => anyhow::bail!("{other}: {body}"),
        }
    }
    ensure!(
        (1..=5).contains(&busy),
        "{busy} of 6 were told to come again"
    );
    let pid = server.0.id().to_string();
    let killed = Command::new("kill").args(["-INT", &pid]).status()?;
    ensure!(killed.success(), "kill: {killed}");
    let status = server.0.wait()?;
    ensure!(status.code() == Some(130), "{status}");
    Ok(())
}
