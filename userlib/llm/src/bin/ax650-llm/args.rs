// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line.

use std::path::PathBuf;

use ax650_command::failure::exit_codes_help;
use ax650_llm::Sampling;
use clap::{Args, Parser, Subcommand};

/// Language and speech models on AX650N accelerator cards
#[derive(Debug, Parser)]
#[command(name = "ax650-llm", version, after_help = exit_codes_help(true))]
pub struct Arguments {
    /// The card: its number, its name, its node or its PCI address; else the first one
    #[arg(
        short,
        long,
        global = true,
        value_name = "CARD",
        env = "AX650_DEVICE",
        hide_env_values = true
    )]
    pub device: Option<String>,
    /// Print nothing but errors and what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Chat with a model
    Run(Run),
    /// Let programs chat with a model: HTTP as OpenAI has it
    #[cfg(feature = "serve")]
    Serve(Serve),
    /// Measure how fast a model answers, and what a token costs on the bus
    Bench(Bench),
    /// Turn speech in a WAV file into text with times
    #[cfg(feature = "speech")]
    Transcribe(Transcribe),
}

#[derive(Debug, Args)]
pub struct Run {
    /// Directory of the model
    pub model: PathBuf,
    /// What to ask; without it lines of standard input are, one after the other
    #[arg(short, long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// A PNG or JPEG picture, in front of the first question; several times for several (models that see pictures)
    #[arg(short, long = "image", value_name = "FILE")]
    pub images: Vec<PathBuf>,
    /// What the model is told of its task
    #[arg(short, long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Print JSON: text, tokens, times (with --prompt)
    #[arg(long, requires = "prompt")]
    pub json: bool,
    #[command(flatten)]
    pub answer: AnswerOptions,
}

#[derive(Debug, Args)]
pub struct AnswerOptions {
    /// Most tokens of an answer
    #[arg(short = 'n', long, value_name = "N")]
    pub max_tokens: Option<usize>,
    /// What the numbers of the head are divided by before chance decides; 0: always the likeliest token
    #[arg(short, long, value_name = "T", default_value_t = 0.0)]
    pub temperature: f32,
    /// Only the likeliest tokens whose probabilities add up to this
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub top_p: f32,
    /// Only so many of the likeliest tokens; 0: all
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub top_k: usize,
    /// The same seed gives the same answer
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl AnswerOptions {
    /// Returns them as the library has them.
    pub fn options(&self) -> ax650_llm::Options {
        ax650_llm::Options {
            max_tokens: self.max_tokens,
            sampling: Sampling {
                temperature: self.temperature,
                top_p: self.top_p,
                top_k: self.top_k,
                seed: self.seed,
            },
        }
    }
}

#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct Serve {
    /// Directory of the model
    pub model: PathBuf,
    /// Address and port to listen on; other addresses than loopback let others in, who need no password
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:8650")]
    pub listen: std::net::SocketAddr,
    /// Answers that are made at the same time, each with caches of its own on the card
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub chats: u16,
    /// Requests that wait for their turn; more are told to come again later
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub queue: u16,
}

#[derive(Debug, Args)]
pub struct Bench {
    /// Directory of the model
    pub model: PathBuf,
    /// Tokens of the prompt
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub prompt_tokens: usize,
    /// Tokens that are made
    #[arg(short = 'n', long, value_name = "N", default_value_t = 32)]
    pub tokens: usize,
    /// Conversations at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub chats: u16,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[cfg(feature = "speech")]
#[derive(Debug, Args)]
pub struct Transcribe {
    /// Directory of the model, with a speech.json
    pub model: PathBuf,
    /// The sound: a WAV file
    #[arg(value_name = "WAV")]
    pub sound: PathBuf,
    /// The language that is spoken, such as en, if the model knows several; else that which the first window seems to be in
    #[arg(short, long, value_name = "CODE")]
    pub language: Option<String>,
    /// A model of voice activity, such as Silero's: hear only where somebody speaks
    #[arg(long, value_name = "FILE")]
    pub vad: Option<PathBuf>,
    /// Print JSON: text, segments, tokens, costs
    #[arg(long)]
    pub json: bool,
}
