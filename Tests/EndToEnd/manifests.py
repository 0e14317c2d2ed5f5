"""What can be wrong with the files under config/: each check takes what was read from them and
returns complaints, so that a test can show it a mistake."""

import re

import jsonschema
import kubernetes_validate

KUBERNETES = "1.37"
APP = "app.kubernetes.io/name"


def closed(required=(), **properties):
    """An object with no other members than these."""
    return {
        "type": "object", "properties": properties, "required": list(required),
        "additionalProperties": False,
    }  # fmt: skip


TEXT, NUMBER, FLAG, ANYTHING = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def resource(api, kind, spec):
    metadata = closed(["name"], name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)
    return closed(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": api}, kind={"const": kind}, metadata=metadata, spec=spec,
    )  # fmt: skip


def some(items):
    return {"type": "array", "items": items, "minItems": 1}


# The members that we use, of Prometheus Operator's API reference (monitoring.coreos.com/v1) and of
# the models in KServe's Python package 0.21.0. What stands for a container or a pod in KServe's is
# looked at as one of Kubernetes' below.
DEFINED_ELSEWHERE = {
    "ServiceMonitor": resource(
        "monitoring.coreos.com/v1", "ServiceMonitor",
        closed(
            ["selector", "endpoints"],
            selector=closed(matchLabels=TEXTS),
            endpoints=some(closed(["port"], port=TEXT, path=TEXT, scheme=TEXT, interval={"pattern": r"^\d+(ms|s|m)$"})),
        ),
    ),
    "ClusterServingRuntime": resource(
        "serving.kserve.io/v1alpha1", "ClusterServingRuntime",
        closed(
            ["supportedModelFormats", "containers"],
            annotations=TEXTS, labels=TEXTS, multiModel=FLAG, disabled=FLAG,
            protocolVersions=some({"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}),
            supportedModelFormats=some(closed(["name"], name=TEXT, version=TEXT, autoSelect=FLAG, priority=NUMBER)),
            containers=some(ANYTHING),
        ),
    ),
    "InferenceService": resource(
        "serving.kserve.io/v1beta1", "InferenceService",
        closed(
            ["predictor"],
            predictor=closed(
                ["model"],
                minReplicas=NUMBER, maxReplicas=NUMBER, enableServiceLinks=FLAG, terminationGracePeriodSeconds=NUMBER,
                model=closed(
                    ["modelFormat", "storageUri"],
                    runtime=TEXT, modelFormat=closed(["name"], name=TEXT, version=TEXT),
                    protocolVersion={"enum": ["v1", "v2"]}, storageUri={"pattern": "^(hf|s3|gs|pvc|https)://"},
                ),
            ),
        ),
    ),
}  # fmt: skip

COMPOSE_SERVICE = closed(
    ["image"],
    image=TEXT, build=TEXT, ports=some(TEXT), volumes=some(TEXT), environment=TEXTS, depends_on=some(TEXT),
    read_only=FLAG, cap_drop=some(TEXT), security_opt=some(TEXT), cpus=NUMBER, mem_limit=TEXT,
    stop_grace_period=TEXT, restart={"enum": ["no", "always", "on-failure", "unless-stopped"]},
)  # fmt: skip
COMPOSE = closed(
    ["name", "services"],
    name=TEXT,
    services={"type": "object", "additionalProperties": COMPOSE_SERVICE},
    volumes={"type": "object"},
)


def walk(value):
    """Every dictionary in it."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from walk(each)


def schema(document):
    """Against the schemas of its kind, unknown members included."""
    kind = document.get("kind")
    own = COMPOSE if "services" in document else DEFINED_ELSEWHERE.get(kind)
    try:
        if own:
            jsonschema.validate(document, own)
        else:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        if kind == "ClusterServingRuntime":
            spec = {"containers": document["spec"]["containers"]}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": document["metadata"], "spec": spec}
            kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return [f"{kind}: {'.'.join(map(str, getattr(error, 'path', [])))}: {error.message}"]
    return []


class Program:
    """What the program knows: settings by environment variable and flag, paths, metrics, port."""

    def __init__(self, table, defaults, paths, metrics):
        rows = re.findall(r"^\| `(\w+)` \| `(--[a-z-]+)` \| `(\w+)` \|", table, re.M)
        self.keys = {row[2]: row[0] for row in rows} | {row[1]: row[0] for row in rows}
        self.defaults = defaults
        self.paths = set(paths)
        self.metrics = set(re.findall(r"^(\w+)[{ ]", metrics, re.M))

    def settings(self, value):
        """Names of settings in a manifest's variables and arguments that the program has not."""
        names = []
        for each in walk(value):
            names += [name for name in (each.get("name"), *each) if str(name).startswith("BERT_SERVER_")]
            names += [word for word in each.get("args", []) if word.startswith("--")]
        return [f"there is no setting {name}" for name in names if name not in self.keys]

    def places(self, value):
        """Paths and ports that it does not serve; a port's name must be a container's."""
        port = self.defaults["port"]
        known = {port, str(port)}
        known |= {p["name"] for each in walk(value) for p in each.get("ports", []) if "containerPort" in p and "name" in p}
        found = []
        for each in walk(value):
            for probe in [each["httpGet"]] if "httpGet" in each else each.get("endpoints", []):
                found += [f"it serves no {probe['path']}"] if probe["path"] not in self.paths else []
                found += [f"it has no port {probe['port']}"] if probe["port"] not in known else []
            if isinstance(each.get("containerPort", port), int) and each.get("containerPort", port) != port:
                found.append(f"it has no port {each['containerPort']}")
            if each.get("targetPort", port) not in known:
                found.append(f"it has no port {each['targetPort']}")
            for rule in each.get("ingress", []):
                found += [f"it has no port {p['port']}" for p in rule["ports"] if p["port"] not in known]
            if each.get("metrics_path", "/metrics") not in self.paths:
                found.append(f"it serves no {each['metrics_path']}")
            for key, own in [("prometheus.kserve.io/port", known), ("prometheus.kserve.io/path", self.paths)]:
                found += [f"it has no {each[key]}"] if key in each and each[key] not in own else []
        return found

    def series(self, value):
        """Metrics that it does not have, in queries and in what the autoscaler looks at."""
        queries = [each[key] for each in walk(value) for key in ("expr", "query") if isinstance(each.get(key), str)]
        queries += [each["metric"]["name"] for each in walk(value) if "metric" in each]
        names = {name for query in queries for name in re.findall(r"\b(?:te|bert|process)_\w+", query)}
        return [f"there is no metric {name}" for name in sorted(names - self.metrics)]

    def grace(self, value):
        """Time to stop that is under drain_seconds and the timeouts of a request."""
        found = []
        for each in walk(value):
            if "terminationGracePeriodSeconds" in each:
                given, seconds = self.given(value), each["terminationGracePeriodSeconds"]
            elif "stop_grace_period" in each:
                given, seconds = self.given(each), int(each["stop_grace_period"].removesuffix("s"))
            else:
                continue
            needed = sum(float(given[f"{name}_seconds"]) for name in PATIENCES)
            found += [f"{seconds} s to stop are not over {needed:.0f}"] if seconds <= needed else []
        return found

    def given(self, value):
        """The settings that it runs the program with."""
        settings = dict(self.defaults)
        for each in walk(value):
            pairs = [(each.get("name"), each.get("value")), *each.items()]
            pairs += zip(each.get("args", []), each.get("args", [])[1:])
            settings |= {self.keys[name]: text for name, text in pairs if name in self.keys and text is not None}
        return settings


PATIENCES = ["drain", "body_timeout", "request_timeout", "write_timeout"]


def references(documents):
    """Names and labels that nothing bears, among the manifests of one application."""
    [deployment] = [each for each in documents if each["kind"] == "Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    [service] = [each for each in documents if each["kind"] == "Service"]
    found = []
    for document in documents:
        spec = document["spec"]
        borne = service["metadata"]["labels"] if document["kind"] == "ServiceMonitor" else labels
        selectors = [each.get("matchLabels") for each in walk(spec.get("selector"))]
        selectors += [each["matchLabels"] for key in ("podSelector", "template") for each in walk(spec.get(key)) if "matchLabels" in each]
        selectors += [spec["selector"]] if document["kind"] == "Service" else []
        for selector in filter(None, selectors):
            if not selector.items() <= borne.items():
                found.append(f"{document['kind']}: nothing bears the labels {selector}")
        target = spec.get("scaleTargetRef", deployment["metadata"])["name"]
        if target != deployment["metadata"]["name"]:
            found.append(f"{document['kind']}: there is no {target}")
        for endpoint in spec.get("endpoints", []):
            if endpoint["port"] not in {port["name"] for port in service["spec"]["ports"]}:
                found.append(f"{document['kind']}: the service has no port {endpoint['port']}")
    return found


def hardening(document):
    """What Kubernetes' restricted profile asks of a pod, and what a service's name would break."""
    found = []
    for each in walk(document):
        for container in each.get("containers", []):
            own = {**each.get("securityContext", {}), **container.get("securityContext", {})}
            wanted = {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
            wanted |= {"capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
            found += [f"{key} is not {value}" for key, value in wanted.items() if own.get(key) != value]
            is_linked = document["kind"] == "Deployment" and each.get("enableServiceLinks", True)
            found += ["enableServiceLinks makes variables BERT_SERVER_…"] if is_linked else []
    return found


def dashboard(value, source):
    """A Grafana dashboard: places, data source, queries."""
    found, places = [], []
    for panel in value["panels"]:
        if panel["datasource"]["uid"] != source["datasources"][0]["uid"]:
            found.append(f"{panel['title']}: there is no data source {panel['datasource']['uid']}")
        if not all(target["expr"] for target in panel["targets"]) or not panel["targets"]:
            found.append(f"{panel['title']}: no query")
        places.append((panel["gridPos"]["x"], panel["gridPos"]["y"]))
    if len({panel["id"] for panel in value["panels"]}) != len(places) or len(set(places)) != len(places):
        found.append("two panels have one number or one place")
    return found
