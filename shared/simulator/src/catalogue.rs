//! What AWS offers: regions, machines, versions, quotas. A small part of it, as it is there.

use mainsheet_cloud::account::{Architecture, InstanceType, QuotaKind};

/// Regions that new accounts have, with name and part of the world.
pub(crate) const REGIONS: [(&str, &str, &str); 8] = [
    ("ap-northeast-1", "Asia Pacific (Tokyo)", "Asia Pacific"),
    ("ap-southeast-2", "Asia Pacific (Sydney)", "Asia Pacific"),
    ("eu-central-1", "Europe (Frankfurt)", "Europe"),
    ("eu-north-1", "Europe (Stockholm)", "Europe"),
    ("eu-west-1", "Europe (Ireland)", "Europe"),
    ("us-east-1", "US East (N. Virginia)", "US East"),
    ("us-east-2", "US East (Ohio)", "US East"),
    ("us-west-2", "US West (Oregon)", "US West"),
];

/// Minor versions of Kubernetes 1 that EKS has.
pub(crate) const MINORS: std::ops::RangeInclusive<u8> = 32..=35;

/// Name, processors, memory in GiB, interfaces, addresses of each, GPUs (AWS, Amazon EC2 instance types).
type Machine = (&'static str, u32, u64, u32, u32, u32);

const ARM: [Machine; 17] = [
    ("c6g.large", 2, 4, 3, 10, 0),
    ("c7g.large", 2, 4, 3, 10, 0),
    ("c7g.xlarge", 4, 8, 4, 15, 0),
    ("c7g.2xlarge", 8, 16, 4, 15, 0),
    ("m6g.large", 2, 8, 3, 10, 0),
    ("m6g.xlarge", 4, 16, 4, 15, 0),
    ("m7g.medium", 1, 4, 2, 4, 0),
    ("m7g.large", 2, 8, 3, 10, 0),
    ("m7g.xlarge", 4, 16, 4, 15, 0),
    ("m7g.2xlarge", 8, 32, 4, 15, 0),
    ("m7g.4xlarge", 16, 64, 8, 30, 0),
    ("r6g.large", 2, 16, 3, 10, 0),
    ("r7g.large", 2, 16, 3, 10, 0),
    ("r7g.xlarge", 4, 32, 4, 15, 0),
    ("r7g.2xlarge", 8, 64, 4, 15, 0),
    ("t4g.medium", 2, 4, 3, 6, 0),
    ("t4g.large", 2, 8, 3, 12, 0),
];

const X86: [Machine; 17] = [
    ("c6i.large", 2, 4, 3, 10, 0),
    ("c7i.large", 2, 4, 3, 10, 0),
    ("c7i.xlarge", 4, 8, 4, 15, 0),
    ("g5.xlarge", 4, 16, 4, 15, 1),
    ("m6i.large", 2, 8, 3, 10, 0),
    ("m6i.xlarge", 4, 16, 4, 15, 0),
    ("m6i.2xlarge", 8, 32, 4, 15, 0),
    ("m7i.large", 2, 8, 3, 10, 0),
    ("m7i.xlarge", 4, 16, 4, 15, 0),
    ("m7i.2xlarge", 8, 32, 4, 15, 0),
    ("m7i.4xlarge", 16, 64, 8, 30, 0),
    ("m7i.12xlarge", 48, 192, 8, 30, 0),
    ("r6i.large", 2, 16, 3, 10, 0),
    ("r7i.large", 2, 16, 3, 10, 0),
    ("r7i.xlarge", 4, 32, 4, 15, 0),
    ("t3.medium", 2, 4, 3, 6, 0),
    ("t3.large", 2, 8, 3, 12, 0),
];

/// All machines, by name.
pub(crate) fn machines() -> Vec<InstanceType> {
    let of = |architecture| move |machine: &Machine| instance_type(machine, architecture);
    let mut machines: Vec<InstanceType> =
        ARM.iter().map(of(Architecture::Arm64)).chain(X86.iter().map(of(Architecture::X86_64))).collect();
    machines.sort_by(|one, other| one.name.cmp(&other.name));
    machines
}

/// A machine by name.
pub(crate) fn machine(name: &str) -> Option<InstanceType> {
    machines().into_iter().find(|machine| machine.name == name)
}

fn instance_type(machine: &Machine, architecture: Architecture) -> InstanceType {
    let &(name, vcpus, memory_gib, network_interfaces, addresses_per_interface, gpus) = machine;
    let memory_mib = memory_gib * 1_024;
    InstanceType {
        name: name.to_owned(),
        vcpus,
        memory_mib,
        architecture,
        gpus,
        network_interfaces,
        addresses_per_interface,
    }
}

/// What new accounts may have (AWS, service quotas).
pub(crate) const fn default_quota(kind: QuotaKind) -> u64 {
    match kind {
        QuotaKind::Vpcs | QuotaKind::InternetGateways | QuotaKind::NatGatewaysPerZone | QuotaKind::ElasticIps => 5,
        QuotaKind::Clusters => 100,
        QuotaKind::StandardVcpus => 64,
    }
}
