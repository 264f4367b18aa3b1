//! What holds across functions, tried through the routers in process: how routes behave (`routes`), what they refuse
//! (`bad_input`), and the gates that every change has to pass (`gates`).
#![cfg(test)]

mod bad_input;
mod estate;
mod gates;
mod operations;
mod routes;
mod world;
