//! What routes refuse. Driven by the document where that is possible; whatever comes, nothing is written and nothing fails.

mod bodies;
mod fields;
mod paths;
mod tokens;
