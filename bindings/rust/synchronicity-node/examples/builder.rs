//! A builder whose sandbox is in this program: `builder CONFIG` takes part until it is killed, `builder CONFIG PACKAGE`
//! has one package rebuilt and writes its proof to standard output.
//!
//! The configuration says `sandbox = "plain"`, which isolates NOTHING; everything else is built in, or comes from
//! plugins in `[plugins] folders`.

use std::error::Error;
use std::io::Write;
use std::time::Duration;
use std::{env, io, process};

use synchronicity_node::{Node, Phase, Plugin, Registry, SubmitRequest, FOREVER};

#[path = "plain.rs"]
mod plain;

fn run(configuration: &str, package: Option<&str>) -> Result<(), Box<dyn Error>> {
    let mut registry = Registry::new()?;
    registry.add(Plugin::sandbox("plain", "1", plain::Plain::make))?;
    let node = Node::builder().registry(&registry).log(|level, line| eprintln!("{level:?}: {line}"));
    let node = node.load(configuration)?;
    let watch = node.on_event(1000, |event| eprintln!("{:?} {} {}", event.kind, event.number, event.text))?;
    node.start()?;
    match package {
        None => drop(watch.join()),
        Some(package) => {
            let job = node.submit(&SubmitRequest::new(package), Duration::from_secs(3600))?;
            node.wait(&job, Phase::Cosigned, FOREVER)?;
            io::stdout().write_all(&node.proof(&job)?)?;
        }
    }
    // Why it ended, if it did so by itself.
    Ok(node.stop(FOREVER)?)
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (configuration, package) = match arguments.as_slice() {
        [configuration] => (configuration, None),
        [configuration, package] => (configuration, Some(package.as_str())),
        _ => {
            eprintln!("usage: builder CONFIG [PACKAGE]");
            process::exit(2);
        }
    };
    if let Err(error) = run(configuration, package) {
        eprintln!("builder: {error}");
        process::exit(1);
    }
}
