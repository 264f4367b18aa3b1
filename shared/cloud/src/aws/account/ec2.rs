//! Amazon EC2: regions, machines and networks. Nothing is made through it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{ArchitectureType, Filter, GpuInfo, InstanceTypeInfo, Tag, Vpc};

use super::Session;
use super::refusal::Asked;
use crate::account::{
    Action, Architecture, CloudRegion, CloudResult, InstanceType, InstanceTypeFilter, ProviderNetwork, Tags,
    region_name,
};

impl Session {
    /// The regions that the account has enabled.
    pub(super) async fn enabled_regions(&self) -> CloudResult<Vec<CloudRegion>> {
        let answer = self.answer(about(Action::DescribeRegions), self.ec2.describe_regions().send().await).await?;
        let mut regions: Vec<CloudRegion> = answer
            .regions()
            .iter()
            .filter_map(|region| {
                let code = region.region_name()?.parse().ok()?;
                let (name, group) = region_name(&code);
                let (name, group) = (name.to_owned(), group.to_owned());
                Some(CloudRegion { name, group, code })
            })
            .collect();
        regions.sort_by(|one, other| one.code.cmp(&other.code));
        Ok(regions)
    }

    /// The machines of this region that can be nodes: to be had on demand, and of a generation that is still made.
    pub(super) async fn machines(&self, wanted: &InstanceTypeFilter) -> CloudResult<Vec<InstanceType>> {
        let request = self
            .ec2
            .describe_instance_types()
            .filters(filter("current-generation", "true"))
            .filters(filter("supported-usage-class", "on-demand"))
            .filters(filter("supported-virtualization-type", "hvm"));
        let request = match wanted.architecture {
            Some(architecture) => {
                request.filters(filter("processor-info.supported-architecture", architecture.as_str()))
            }
            None => request,
        };
        let mut pages = request.into_paginator().items().send();
        let mut machines = Vec::new();
        while let Some(machine) = pages.next().await {
            machines.extend(as_node(&self.answer(about(Action::DescribeInstanceTypes), machine).await?));
        }
        machines.retain(|machine| wanted.admits(machine));
        machines.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(machines)
    }

    /// The VPCs of this region, with the number of zones that each has subnets in.
    pub(super) async fn vpcs(&self) -> CloudResult<Vec<ProviderNetwork>> {
        let mut zones: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut subnets = self.ec2.describe_subnets().into_paginator().items().send();
        while let Some(subnet) = subnets.next().await {
            let subnet = self.answer(about(Action::DescribeSubnets), subnet).await?;
            if let (Some(vpc), Some(zone)) = (subnet.vpc_id, subnet.availability_zone_id.or(subnet.availability_zone)) {
                zones.entry(vpc).or_default().insert(zone);
            }
        }
        let mut networks = Vec::new();
        let mut vpcs = self.ec2.describe_vpcs().into_paginator().items().send();
        while let Some(vpc) = vpcs.next().await {
            let vpc = self.answer(about(Action::DescribeVpcs), vpc).await?;
            let zones = vpc.vpc_id().and_then(|id| zones.get(id)).map_or(0, BTreeSet::len);
            networks.push(network(vpc, u32::try_from(zones).unwrap_or(u32::MAX)));
        }
        Ok(networks)
    }

    pub(super) async fn count_vpcs(&self) -> CloudResult<usize> {
        let mut vpcs = self.ec2.describe_vpcs().into_paginator().items().send();
        let mut count = 0;
        while let Some(vpc) = vpcs.next().await {
            self.answer(about(Action::DescribeVpcs), vpc).await?;
            count += 1;
        }
        Ok(count)
    }

    pub(super) async fn count_internet_gateways(&self) -> CloudResult<usize> {
        let mut gateways = self.ec2.describe_internet_gateways().into_paginator().items().send();
        let mut count = 0;
        while let Some(gateway) = gateways.next().await {
            self.answer(about(Action::DescribeInternetGateways), gateway).await?;
            count += 1;
        }
        Ok(count)
    }

    pub(super) async fn count_addresses(&self) -> CloudResult<usize> {
        let request = self.ec2.describe_addresses().filters(filter("domain", "vpc"));
        let answer = self.answer(about(Action::DescribeAddresses), request.send().await).await?;
        Ok(answer.addresses().len())
    }
}

fn about(action: Action) -> Asked<'static> {
    Asked::new(action, "what there is", "in the region")
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// A machine, if it has an architecture that clusters have images for. Some 64-bit machines can be 32-bit ones, too.
fn as_node(machine: &InstanceTypeInfo) -> Option<InstanceType> {
    let architectures = machine.processor_info()?.supported_architectures();
    let architecture = if architectures.contains(&ArchitectureType::X8664) {
        Architecture::X86_64
    } else if architectures.contains(&ArchitectureType::Arm64) {
        Architecture::Arm64
    } else {
        return None;
    };
    let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
    let network = machine.network_info()?;
    let gpus = machine.gpu_info().map(GpuInfo::gpus).unwrap_or_default();
    Some(InstanceType {
        name: machine.instance_type()?.as_str().to_owned(),
        vcpus: number(machine.v_cpu_info()?.default_v_cpus()),
        memory_mib: machine.memory_info()?.size_in_mib().and_then(|size| u64::try_from(size).ok())?,
        architecture,
        gpus: gpus.iter().map(|gpu| number(gpu.count())).sum(),
        network_interfaces: number(network.maximum_network_interfaces()),
        addresses_per_interface: number(network.ipv4_addresses_per_interface()),
    })
}

fn network(vpc: Vpc, zones: u32) -> ProviderNetwork {
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    let tags: Tags = vpc.tags().iter().filter_map(pair).collect();
    ProviderNetwork {
        name: tags.get("Name").cloned().unwrap_or_default(),
        state: vpc.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        id: vpc.vpc_id.unwrap_or_default(),
        cidr: vpc.cidr_block.unwrap_or_default(),
        zones,
        tags,
    }
}
