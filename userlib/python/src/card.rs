// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cards.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::OrRaise;
use crate::session::Session;

/// An open card.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Card {
    pub(crate) card: ax650::Card,
}

/// Lists the cards of this system: pairs of a path and what is wrong with the card, or None.
#[pyfunction]
pub fn list_cards(py: Python<'_>) -> Vec<(String, Option<String>)> {
    let listed = py.detach(ax650::Card::list);
    let entry = |listed: ax650::Listed| {
        let problem = listed.info.err().map(|error| error.to_string());
        (listed.path.display().to_string(), problem)
    };
    listed.into_iter().map(entry).collect()
}

#[pymethods]
impl Card {
    /// Opens the card that `name` names, or the first.
    #[new]
    #[pyo3(signature = (name=None))]
    fn new(py: Python<'_>, name: Option<&str>) -> PyResult<Self> {
        let open = || match name {
            Some(name) => ax650::Card::open(name),
            None => ax650::Card::open_first(),
        };
        let card = py.detach(open).or_raise(py)?;
        Ok(Self { card })
    }

    #[getter]
    fn name(&self) -> &str {
        self.card.name()
    }

    #[getter]
    fn path(&self) -> String {
        self.card.path().display().to_string()
    }

    /// Returns what the driver says of the card.
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = py.detach(|| self.card.info()).or_raise(py)?;
        let dict = PyDict::new(py);
        dict.set_item("state", info.state.to_string())?;
        dict.set_item("pci", info.pci.to_string())?;
        dict.set_item("link", info.link())?;
        dict.set_item("generation", info.generation)?;
        dict.set_item("chip", &info.chip)?;
        dict.set_item("firmware_version", &info.firmware_version)?;
        Ok(dict)
    }

    /// Returns temperature, loads and memory.
    fn telemetry<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let told = py.detach(|| self.card.telemetry()).or_raise(py)?;
        let dict = PyDict::new(py);
        dict.set_item("age", told.age.as_secs_f64())?;
        dict.set_item("temperature", told.temperature)?;
        dict.set_item("cpu_load", told.cpu_load)?;
        dict.set_item("npu_load", told.npu_load)?;
        for (name, usage) in [("memory", told.memory), ("cmm", told.cmm)] {
            dict.set_item(name, usage.map(|usage| (usage.used, usage.total)))?;
        }
        Ok(dict)
    }

    /// Opens a session.
    fn session(&self, py: Python<'_>) -> PyResult<Session> {
        let session = py.detach(|| self.card.session()).or_raise(py)?;
        Ok(Session::new(session))
    }
}
