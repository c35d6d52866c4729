use std::ffi::CString;
use std::fmt;
use std::path::PathBuf;
use std::ptr;

use synchronicity_node_sys as sys;

use crate::jobs::c_text;
use crate::node::copied;
use crate::registry::c_path;
use crate::{Error, Registry};

/// What the checks of a plugin want to be told.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CheckOptions {
    /// Names and values, as a configuration has them in `[settings.PLUGIN]`; no name twice.
    pub settings: Vec<(String, String)>,
    /// For a sandbox: absolute path of a tar with /bin/sh, bash, coreutils and busybox.
    pub toolchain: Option<PathBuf>,
    /// For a source: one that it has, such as "pkg:cargo/itoa@1.0.1".
    pub package: Option<String>,
    /// `Some`: for a sandbox also every attempt to leave it; with those that may succeed, by the word with which a
    /// report's WHAT WAS SEEN begins, and why that does no harm. They are compiled here, by cc, and some are made as
    /// whom this process runs as; root sees the most.
    pub escapes: Option<Vec<(String, String)>>,
}

impl CheckOptions {
    /// Calls with what C is given, which is gone afterwards.
    fn with_raw<T>(&self, call: impl FnOnce(&sys::sync_check_options) -> Result<T, Error>) -> Result<T, Error> {
        let start = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let settings = Pairs::new(&self.settings, "A setting")?;
        let allowed = Pairs::new(self.escapes.as_deref().unwrap_or_default(), "An attempt that may succeed")?;
        let toolchain = self.toolchain.as_deref().map(c_path).transpose()?;
        let package = self.package.as_deref().map(|text| c_text(text, "The package")).transpose()?;
        let mut raw = sys::sync_check_options::new();
        (raw.settings, raw.settings_count) = settings.as_raw();
        raw.toolchain = start(&toolchain);
        raw.package = start(&package);
        raw.with_escapes = self.escapes.is_some().into();
        (raw.allowed, raw.allowed_count) = allowed.as_raw();
        call(&raw)
    }
}

/// Settings as C has them, with the texts to which they point.
struct Pairs {
    raw: Vec<sys::sync_setting>,
    _texts: Vec<(CString, CString)>,
}

impl Pairs {
    fn new(pairs: &[(String, String)], what: &str) -> Result<Self, Error> {
        let texts = pairs.iter().map(|(name, value)| Ok((c_text(name, what)?, c_text(value, what)?)));
        let texts = texts.collect::<Result<Vec<_>, Error>>()?;
        let raw = texts.iter().map(|(name, value)| sys::sync_setting { name: name.as_ptr(), value: value.as_ptr() });
        Ok(Self { raw: raw.collect(), _texts: texts })
    }

    fn as_raw(&self) -> (*const sys::sync_setting, usize) {
        (if self.raw.is_empty() { ptr::null() } else { self.raw.as_ptr() }, self.raw.len())
    }
}

/// What the checks of a plugin found. It displays its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Whether each check was passed.
    pub has_passed: bool,
    /// A line for each check, "pass: NAME" or "FAIL: NAME: WHAT WAS SEEN", and a last one with their number.
    pub text: String,
}

impl fmt::Display for CheckReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Registry {
    /// Runs the conformance suite of a plugin that was added, by calling it as a node does: for its author, from a
    /// test. It takes seconds, for a sandbox minutes, and works in a folder of its own below TMPDIR, which is gone
    /// behind it.
    ///
    /// What the plugin does wrong is in the report. [`Code::NotFound`](crate::Code::NotFound) when no plugin of that
    /// name was added, [`Code::Invalid`](crate::Code::Invalid) when plugins of two kinds were, or an option is missing
    /// that the kind wants, [`Code::State`](crate::Code::State) in a method of a plugin.
    ///
    /// ```no_run
    /// # fn words() -> synchronicity_node::Plugin { unimplemented!() }
    /// use synchronicity_node::{CheckOptions, Registry};
    ///
    /// # fn run() -> Result<(), synchronicity_node::Error> {
    /// let mut registry = Registry::new()?;
    /// registry.add(words())?;
    /// let mut options = CheckOptions::default();
    /// options.package = Some("pkg:words/fine@1".to_string());
    /// let report = registry.check("words", &options)?;
    /// assert!(report.has_passed, "{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self, name: &str, options: &CheckOptions) -> Result<CheckReport, Error> {
        let name = c_text(name, "The plugin's name")?;
        options.with_raw(|raw| {
            let mut has_passed = 0;
            let text = copied(|report, error| unsafe {
                sys::sync_registry_check(self.as_ptr(), name.as_ptr(), raw, &mut has_passed, report, error)
            })?;
            Ok(CheckReport { has_passed: has_passed != 0, text: String::from_utf8_lossy(&text).into_owned() })
        })
    }
}
