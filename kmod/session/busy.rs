// SPDX-License-Identifier: GPL-2.0

//! How long a session has models run, as the host sees it: from the moment that such a call is sent until the card
//! is known to have done with it.

use super::{
    base::Base,
    engine::Engine, //
};

impl Engine {
    /// Tells the meters of card and file when the first call that runs a model was sent, and when the last is over.  To
    /// be called before [`Engine::follow_chain`].
    pub(super) fn meter(&mut self, session: &Base) {
        if self.burst == 0 && !self.runs_models {
            return;
        }
        let runs = self.pending.iter().any(|call| call.header.runs_model());
        if core::mem::replace(&mut self.runs_models, runs) == runs {
            return;
        }
        let of_file = session.seat.as_ref().map(|seat| seat.npu());
        for meter in [Some(&session.link.npu), of_file].into_iter().flatten() {
            match runs {
                true => meter.begin(),
                false => meter.end(),
            }
        }
    }
}
