//! What a pod's status means.

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus,
};

/// Reasons for which a container never comes up by waiting.
const HOPELESS: [&str; 8] = [
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ImageInspectError",
    // One try has failed, and Kubernetes waits longer and longer.
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
    "StartError",
];

/// Why a pod would not start however often it were made again; `None` where that is not known of it. `title` names it for a person.
pub(crate) fn cannot_start(status: &PodStatus, title: &str) -> Option<String> {
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let (reason, message) = containers.filter_map(|container| container.state.as_ref()).find_map(|state| {
        let (reason, message) = match (&state.waiting, &state.terminated) {
            (Some(waiting), _) => (&waiting.reason, &waiting.message),
            (None, Some(terminated)) => (&terminated.reason, &terminated.message),
            (None, None) => return None,
        };
        let reason = reason.as_deref().filter(|reason| HOPELESS.contains(reason))?;
        Some((reason, message.as_deref().unwrap_or_default()))
    })?;
    let what = if reason.contains("Image") { "its image cannot be had" } else { "its container cannot start" };
    Some(format!("{title} cannot start: {what} ({reason}: {message})"))
}

/// Where a pod with one container stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PodState {
    /// It has not begun; what for, where that is known.
    Waiting(Option<String>),
    /// Its container executes.
    Runs {
        /// It says that it can be used.
        ready: bool,
        /// Its address in the cluster.
        ip: Option<String>,
    },
    /// Its container has ended by itself.
    Ended {
        /// Its exit status.
        status: i32,
        /// What it left as its last words.
        message: String,
    },
    /// It has ended, or will never begin, for this reason.
    Failed(String),
}

/// Whether nothing can come of it any more.
pub(crate) fn is_over(state: &PodState) -> bool {
    matches!(state, PodState::Ended { .. } | PodState::Failed(_))
}

/// Whether none of its containers executes, nor will.
pub(crate) fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

impl PodState {
    /// The state of a pod. `title` names it for a person.
    pub(crate) fn of(pod: &Pod, title: &str) -> Self {
        let none = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&none);
        let container = status.container_statuses.iter().flatten().next();
        let state = container.and_then(|container| container.state.as_ref());
        if let Some(terminated) = state.and_then(|state| state.terminated.as_ref())
            && !is_evicted(status)
        {
            return ended(terminated, pod, title);
        }
        if let Some(why) = disruption(pod, status) {
            return Self::Failed(format!("{title} {why}"));
        }
        if let Some(why) = failed_packages(status) {
            return Self::Failed(why);
        }
        if let Some(why) = cannot_start(status, title) {
            return Self::Failed(why);
        }
        match status.phase.as_deref() {
            Some("Running") if state.is_some_and(|state| state.running.is_some()) => Self::Runs {
                ready: container.is_some_and(|container| container.ready),
                ip: status.pod_ip.clone().filter(|ip| !ip.is_empty()),
            },
            Some("Failed") => Self::Failed(format!("{title} failed: {}", said(status))),
            Some("Unknown") => Self::Waiting(Some("its machine does not answer".to_owned())),
            _ => Self::Waiting(waits_for(status)),
        }
    }
}

fn ended(terminated: &ContainerStateTerminated, pod: &Pod, title: &str) -> PodState {
    if terminated.reason.as_deref() == Some("OOMKilled") {
        let limit = pod.spec.as_ref().and_then(|spec| {
            let limits = spec.containers.first()?.resources.as_ref()?.limits.as_ref()?;
            Some(format!(" of {}", limits.get("memory")?.0))
        });
        let limit = limit.unwrap_or_default();
        return PodState::Failed(format!("{title} took more memory than its limit{limit} and was ended (OOMKilled)"));
    }
    PodState::Ended { status: terminated.exit_code, message: terminated.message.clone().unwrap_or_default() }
}

/// The machine, or whoever rules over it, has taken the pod away.
fn is_evicted(status: &PodStatus) -> bool {
    status.phase.as_deref() == Some("Failed") && status.reason.as_deref().is_some_and(|reason| !reason.is_empty())
}

fn disruption(pod: &Pod, status: &PodStatus) -> Option<String> {
    let target = condition(status, "DisruptionTarget").filter(|condition| condition.status == "True");
    let told = target.map(|condition| {
        let reason = condition.reason.clone().unwrap_or_default();
        format!(" ({reason}: {})", condition.message.clone().unwrap_or_default())
    });
    if is_evicted(status) {
        let reason = status.reason.as_deref().unwrap_or_default();
        let message = status.message.as_deref().unwrap_or_default().trim();
        return Some(match reason {
            "Evicted" => format!("was evicted: {message}"),
            "DeadlineExceeded" => format!("was active for longer than it may: {message}"),
            _ => format!("was taken off its machine: {reason}: {message}"),
        });
    }
    if target.is_some() || pod.metadata.deletion_timestamp.is_some() {
        let told = told.unwrap_or_else(|| " (its pod was deleted)".to_owned());
        return Some(format!("is taken off its machine{told}"));
    }
    None
}

fn failed_packages(status: &PodStatus) -> Option<String> {
    let mut containers = status.init_container_statuses.iter().flatten();
    containers.find_map(|container| {
        let terminated =
            container.state.as_ref()?.terminated.as_ref().filter(|terminated| terminated.exit_code != 0)?;
        let message = terminated.message.as_deref().map(str::trim).filter(|message| !message.is_empty());
        let reason = terminated.reason.as_deref().unwrap_or_default();
        Some(message.map_or_else(
            || format!("the packages cannot be installed: exit status {} ({reason})", terminated.exit_code),
            str::to_owned,
        ))
    })
}

fn waiting_reason<'a>(containers: impl Iterator<Item = &'a ContainerStatus>) -> Option<(&'a str, &'a str)> {
    containers.filter_map(|container| container.state.as_ref()).find_map(|state| {
        let ContainerState { waiting: Some(waiting), .. } = state else { return None };
        let reason = waiting.reason.as_deref()?;
        // The usual course of things.
        let is_usual = matches!(reason, "ContainerCreating" | "PodInitializing");
        (!is_usual).then(|| (reason, waiting.message.as_deref().unwrap_or_default()))
    })
}

fn waits_for(status: &PodStatus) -> Option<String> {
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    if let Some((reason, message)) = waiting_reason(containers) {
        return Some(format!("{reason}: {message}"));
    }
    let scheduled = condition(status, "PodScheduled").filter(|condition| condition.status == "False")?;
    let message = scheduled.message.as_deref().unwrap_or_default();
    Some(format!("no machine takes it: {}: {message}", scheduled.reason.as_deref().unwrap_or_default()))
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

fn said(status: &PodStatus) -> String {
    let parts = [&status.reason, &status.message].into_iter().flatten().map(String::as_str);
    let said = parts.collect::<Vec<_>>().join(": ");
    if said.is_empty() { "Kubernetes does not say why".to_owned() } else { said }
}
