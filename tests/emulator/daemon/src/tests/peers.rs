// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls about other cards.

use super::client::{Client, PLAIN};
use super::Rig;
use crate::wire::p2p::{Api, Config, RequestBody};

#[test]
fn set_up_and_removal() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let peers = || rig.daemon.report()["sessions"][0]["peers"].as_u64();
    let config = |target_id| Config {
        target_id,
        dma_pci_addr: 0x5200_0000,
        mbox_pci_addr: 0x5280_0000,
        cmm_phy_addr: 0x1_4100_0000,
        cmm_size: 1 << 20,
    };
    let configs = |count| RequestBody {
        configs: (0..count).map(config).collect(),
        ..Default::default()
    };
    assert_eq!(client.p2p(Api::SetupConfig, configs(2)).status, 0);
    assert_eq!(peers(), Some(2));
    assert_eq!(
        client.p2p(Api::SetupConfig, configs(257)).status,
        0x8030_0b03
    );
    let test = client.p2p(Api::StartBandwidthTest, RequestBody::default());
    assert_eq!(test.status, 0x8030_0b04);
    assert!(test.result.is_some());
    // The body of a removal is empty, or not there at all.
    for body in [Some(RequestBody::default()), None] {
        assert_eq!(client.p2p(Api::SetupConfig, configs(1)).status, 0);
        assert_eq!(client.p2p(Api::RemoveConfig, body).status, 0);
        assert_eq!(peers(), Some(0));
    }
    client.close();
}
