//! Answers as AWS documents them.

use serde_json::{Value, json};

use crate::endpoint::Answer;

/// A role that was assumed until an hour after [`crate::world::START`].
pub(crate) fn assumed() -> Answer {
    xml(
        "AssumeRole",
        "<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>the-session</SessionToken><Expiration>2026-11-21T09:00:00Z</Expiration></Credentials>",
    )
}

/// An answer of a service that speaks the query protocol.
pub(crate) fn xml(operation: &str, result: &str) -> Answer {
    let body = format!(
        "<{operation}Response><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    );
    Answer::ok(body).header("content-type", "text/xml")
}

/// An answer of EC2.
pub(crate) fn ec2(operation: &str, result: &str) -> Answer {
    let body = format!("<{operation}Response><requestId>r</requestId>{result}</{operation}Response>");
    Answer::ok(body).header("content-type", "text/xml")
}

/// A refusal of a service that speaks the query protocol.
pub(crate) fn xml_refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r</RequestId></ErrorResponse>"
    );
    Answer::ok(body).status(status).header("content-type", "text/xml")
}

/// A refusal of EC2.
pub(crate) fn ec2_refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
         <RequestID>r</RequestID></Response>"
    );
    Answer::ok(body).status(status).header("content-type", "text/xml")
}

/// A refusal of a service that speaks JSON.
pub(crate) fn json_refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(&json!({ "message": message, "__type": code })).status(status).header("x-amzn-errortype", code)
}

pub(crate) fn cluster(token: &str) -> Value {
    json!({ "cluster": {
        "name": "mainsheet-c", "arn": "arn:aws:eks:eu-central-1:123456789012:cluster/mainsheet-c", "status": "ACTIVE",
        "version": "1.35", "endpoint": "https://ABC.gr7.eu-central-1.eks.amazonaws.com",
        "certificateAuthority": { "data": "cGVt" },
        "identity": { "oidc": { "issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC" } },
        "resourcesVpcConfig": { "vpcId": "vpc-1", "publicAccessCidrs": ["0.0.0.0/0"] },
        "health": { "issues": [{ "code": "Ec2SubnetNotFound", "message": "gone", "resourceIds": ["subnet-1"] }] },
        "tags": { "LakeSail-Token": token, "Service": "mainsheet" },
    } })
}

pub(crate) fn node_group(token: &str) -> Value {
    json!({ "nodegroup": {
        "nodegroupName": "system", "nodegroupArn": "arn:aws:eks:eu-central-1:123456789012:nodegroup/mainsheet-c/system/1",
        "clusterName": "mainsheet-c", "status": "DEGRADED", "version": "1.35", "instanceTypes": ["m7g.large"],
        "scalingConfig": { "minSize": 1, "desiredSize": 2, "maxSize": 3 },
        "health": { "issues": [{ "code": "AsgInstanceLaunchFailures", "message": "VcpuLimitExceeded" }] },
        "tags": { "LakeSail-Token": token },
    } })
}

pub(crate) fn add_on(token: &str) -> Value {
    json!({ "addon": {
        "addonName": "vpc-cni", "clusterName": "mainsheet-c", "status": "ACTIVE", "addonVersion": "v1.20.4-eksbuild.1",
        "addonArn": "arn:aws:eks:eu-central-1:123456789012:addon/mainsheet-c/vpc-cni/1", "health": { "issues": [] },
        "tags": { "LakeSail-Token": token },
    } })
}

pub(crate) fn update(status: &str) -> Value {
    json!({ "update": { "id": "u-1", "status": status, "type": "VersionUpdate",
        "errors": [{ "errorCode": "NodeCreationFailure", "errorMessage": "no nodes" }] } })
}

/// The versions of an add-on, of which the one but last is the default for 1.35.
pub(crate) fn add_on_versions(default: &str) -> Value {
    let version = |version: &str, default: bool| {
        json!({ "addonVersion": version,
            "compatibilities": [{ "clusterVersion": "1.35", "defaultVersion": default, "platformVersions": ["*"] }] })
    };
    json!({ "addons": [{ "addonName": "vpc-cni",
        "addonVersions": [version("v9.0.0-eksbuild.1", false), version(default, true)] }] })
}

/// A stack, with tags and parameters.
pub(crate) fn stack(status: &str, token: &str) -> Answer {
    xml(
        "DescribeStacks",
        &format!(
            "<Stacks><member><StackId>arn:aws:cloudformation:eu-central-1:123456789012:stack/mainsheet-n/1</StackId>\
             <StackName>mainsheet-n</StackName><CreationTime>2026-11-21T08:00:00Z</CreationTime>\
             <StackStatus>{status}</StackStatus><StackStatusReason>because</StackStatusReason>\
             <Parameters><member><ParameterKey>Cidr</ParameterKey><ParameterValue>10.0.0.0/16</ParameterValue></member>\
             <member><ParameterKey>BoundaryName</ParameterKey><ParameterValue>C1</ParameterValue></member>\
             <member><ParameterKey>Withdrawn</ParameterKey><ParameterValue>x</ParameterValue></member></Parameters>\
             <Outputs><member><OutputKey>VpcId</OutputKey><OutputValue>vpc-1</OutputValue></member></Outputs>\
             <Tags><member><Key>LakeSail-Token</Key><Value>{token}</Value></member></Tags></member></Stacks>"
        ),
    )
}

pub(crate) fn quota(value: f64) -> Answer {
    Answer::json(&json!({ "Quota": { "ServiceCode": "vpc", "QuotaCode": "L-F678F1CE", "Value": value } }))
        .header("content-type", "application/x-amz-json-1.1")
}
