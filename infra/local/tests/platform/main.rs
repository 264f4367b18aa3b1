//! The program that `cargo run` starts, from outside: real processes, real HTTP, the real engine.

mod crash;
mod harness;
mod quickstart;
mod surroundings;
