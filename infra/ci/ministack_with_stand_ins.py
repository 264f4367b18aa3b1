"""Starts ministack with stand-ins for what it lacks. It knows their places in ministack 1.5.33, and in no other.

- The transform of SAM is given the values of parameters, as CloudFormation gives it: what is published, and how, depends on them.
- Resources of `WITHOUT_EFFECT` can be in a stack. Nothing is made.
- Policies are simulated with the context that was given. Whoever may simulate those of one role may simulate those of that role.
- A cluster has the API at `KUBERNETES_URL` with the certificate authority `KUBERNETES_AUTHORITY`, base64 of PEM, where those are set, and
  an issuer with a name as EKS gives it.
"""

import contextvars
import json
import os
import secrets
from dataclasses import replace

from ministack.app import main
from ministack.core import iam_actions, iam_evaluator
from ministack.services import eks, iam
from ministack.services.cloudformation import changesets, engine, handlers
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as resources
from samtranslator.translator import transform as sam

# How the names of those resources begin. A NAT gateway, a flow log and an OIDC provider are not there afterwards.
WITHOUT_EFFECT = {
    "AWS::EC2::EIP": "eipalloc",
    "AWS::EC2::FlowLog": "fl",
    "AWS::EC2::NatGateway": "nat",
    "AWS::IAM::OIDCProvider": "oidc-provider",
}


def without_effect(prefix):
    """A type of resource that makes nothing."""

    def create(logical_id, props, stack_name):
        name = f"{prefix}-{secrets.token_hex(8)}"
        return name, {"Ref": name, "Id": name, "Arn": name, "AllocationId": name}

    return {"create": create, "delete": lambda physical_id, props: None}


resources.update((kind, without_effect(prefix)) for kind, prefix in WITHOUT_EFFECT.items())

values = contextvars.ContextVar("values of a template's parameters", default={})
apply_transforms, transform = engine._apply_transforms, sam.transform


def apply_transforms_with_values(template, provided=None, previous=None):
    """Applies a template's transforms."""
    token = values.set(engine._transform_parameters(template, provided, previous))
    try:
        return apply_transforms(template, provided, previous)
    finally:
        values.reset(token)


changesets._apply_transforms = handlers._apply_transforms = apply_transforms_with_values
sam.transform = lambda template, _, policies: transform(template, values.get(), policies)

given = contextvars.ContextVar("context of a simulation", default={})
simulate, evaluate = iam._IAM_HANDLERS["SimulatePrincipalPolicy"], iam_evaluator.evaluate


def simulate_with_context(parameters):
    """`SimulatePrincipalPolicy`, which passes over its `ContextEntries`."""
    entries = {}
    while key := iam._p(parameters, f"ContextEntries.member.{len(entries) + 1}.ContextKeyName"):
        entries[key.lower()] = iam._p(parameters, f"ContextEntries.member.{len(entries) + 1}.ContextKeyValues.member.1")
    token = given.set(entries)
    try:
        return simulate(parameters)
    finally:
        given.reset(token)


def evaluate_with_context(request, *policies):
    """Evaluates policies; in a simulation with its context."""
    return evaluate(replace(request, service_context={**request.service_context, **given.get()}), *policies)


iam._IAM_HANDLERS["SimulatePrincipalPolicy"], iam_evaluator.evaluate = simulate_with_context, evaluate_with_context
resource_of = iam_actions.extract_resource_arn


def resource_or_role(service, method, path, headers, body, parameters, *rest):
    """What a call is about: that of a simulation is the role."""
    role = iam_actions._query_param(parameters, "PolicySourceArn") if service == "iam" else ""
    return role or resource_of(service, method, path, headers, body, parameters, *rest)


iam_actions.extract_resource_arn = resource_or_role
describe_cluster = eks._describe_cluster


def describe_cluster_with_api(name):
    """`DescribeCluster`. There is no API without Docker, no certificate authority, and the issuer is ministack's own."""
    status, headers, body = describe_cluster(name)
    if status == 200 and "KUBERNETES_URL" in os.environ:
        cluster = json.loads(body)["cluster"]
        cluster["endpoint"] = os.environ["KUBERNETES_URL"]
        cluster["certificateAuthority"]["data"] = os.environ["KUBERNETES_AUTHORITY"]
        issuer = cluster["identity"]["oidc"]["issuer"].rsplit("/", 1)[-1].upper()
        cluster["identity"]["oidc"]["issuer"] = f"https://oidc.eks.{eks.get_region()}.amazonaws.com/id/{issuer}"
        body = json.dumps({"cluster": cluster}).encode()
    return status, headers, body


eks._describe_cluster = describe_cluster_with_api

main()
