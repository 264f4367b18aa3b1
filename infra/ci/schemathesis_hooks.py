"""What schemathesis has to be told: templates of CloudFormation have tags of their own, so to others they are text."""

import schemathesis
from schemathesis.core.media_types import YAML_MEDIA_TYPES


@schemathesis.deserializer(*YAML_MEDIA_TYPES)
def text(_context, response):
    return response.content.decode()
