"""gpu_report.py FOLDER [--emulated NODE]: writes FOLDER/report.json (realflops-gpu-check/1) and report.md of what
gpu-check.sh left there, prints the verdict, and exits as gpu-check.sh says. Needs the standard library alone."""

import argparse
import datetime
import json
import os
import re
import sys

OK, INCOMPLETE, WRONG, NO_GPU = 0, 1, 3, 4

FOUND = 9  # what compute-sanitizer exits with where it found something
CONFORMANCE = ("conform", "conform-ptx", "memcheck", "racecheck")  # steps that leave a realflops-conform/1
PROOFS = ("conform", "conform-ptx", "peers", "run")  # steps that must not fail


def read_json(folder, name):
    """The document of a step, None where it left none."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            return json.load(f)
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def read_text(folder, name):
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
            return f.read().strip()
    except FileNotFoundError:
        return ""


def read_steps(folder):
    """The table of steps; of commands what anybody can repeat, without this machine's folders."""
    steps = []
    for line in read_text(folder, "steps.tsv").splitlines():
        name, status, seconds, limit, code, why, command = (line.split("\t") + [""])[:7]
        command = command.replace(folder, "FOLDER")
        command = re.sub(r"\S*/(realflops(?:-worker)?)(?= |$)", r"bin/\1", command)
        command = re.sub(r"-entries (\S+)", r"-entries '\1'", command)
        command = re.sub(r"\S*/(bench/peers/pytorch\.py)", r"\1", command)
        steps.append({
            "name": name, "status": status, "seconds": int(seconds), "limit_s": int(limit), "code": int(code),
            "why": why, "command": command,
        })  # fmt: skip
    return steps


def conformance(step, document):
    """What a pass over the kernels found."""
    failures = [f"{o['entry']}: {o['check']}: {o['error']}" for o in document["outcomes"] if o["error"]]
    if document["error"]:
        failures.append(document["error"])
    return {
        "step": step["name"], "failures": failures, "checks": len(document["outcomes"]),
        "launches": sum(o["cases"] for o in document["outcomes"]), "kernels": len({o["entry"] for o in document["outcomes"]}),
    } | {field: document[field] for field in ("image", "thin", "large_bytes", "left")}  # fmt: skip


def judge(report, no_device):
    """Fills in the sentences of what is wrong and what is missing, and the exit code. no_device is why there is none."""
    wrong, incomplete = [], []
    for c in report["conformance"]:
        wrong += [f"{c['step']}: {f}" for f in c["failures"]]
        if c["left"]:
            incomplete.append(f"{c['step']}: {len(c['left'])} kernels were not checked, the first is {c['left'][0]}")
    peers = report["peers"] or {"rows": [], "skipped": []}
    for r in peers["rows"]:
        if r["verdict"] == "missed":
            wrong.append(f"{case(r)}: {r['ratio']:.3f} of PyTorch's rate, the goal is {r['goal']:.2f}")
    wrong += [f"{s['case']}: {s['why']}" for s in peers["skipped"] if s["failed"]]
    for s in report["steps"]:
        text = f"{s['name']}: {s['why'] or 'exit code %d' % s['code']}"
        if s["name"] in ("memcheck", "racecheck"):
            if s["code"] == FOUND:
                wrong.append(f"{s['name']}: compute-sanitizer found errors: {s['name']}.txt names them")
        elif s["status"] == "failed" and s["code"] == WRONG:
            if not any(w.startswith(s["name"] + ":") for w in wrong):
                wrong.append(text)
        elif s["status"] == "failed" and s["name"] in PROOFS:
            incomplete.append(text)
        elif s["status"] == "cut" and s["name"] == "conform" and not any(i.startswith("conform:") for i in incomplete):
            incomplete.append(text)
    code = WRONG if wrong else INCOMPLETE if incomplete else OK
    if report["device"] is None:
        code, incomplete = NO_GPU, [*incomplete, no_device]
    report["wrong"], report["incomplete"], report["exit_code"] = wrong, incomplete, code


def device_of(folder, conform):
    """The device that was checked, None where there was none."""
    listed = re.search(r"(GPU-[0-9a-f-]+)  (.*?)(?:, compute capability|$)", read_text(folder, "devices.txt"))
    if conform is None and listed is None:
        return None
    device = {field: conform[field] for field in ("device", "model", "driver")} if conform else {"device": listed[1], "model": listed[2], "driver": ""}
    return device | {"nvidia_smi": read_text(folder, "nvidia-smi.csv")}


def gather(folder, emulated):
    steps = read_steps(folder)
    host = read_json(folder, "detect.json") or {}
    documents = [(s, read_json(folder, s["name"] + ".json")) for s in steps if s["name"] in CONFORMANCE]
    run = read_json(folder, "run.json")
    report = {
        "schema": "realflops-gpu-check/1",
        "emulated": emulated,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "version": run and run["run"]["version"],
        "host": {field: host.get(field) for field in ("name", "os", "kernel", "arch", "cloud", "instance_type")},
        "device": device_of(folder, read_json(folder, "conform.json")),
        "steps": steps,
        "conformance": [conformance(s, d) for s, d in documents if d is not None],
        "peers": read_json(folder, "peers.json"),
        "run": run,
    }
    judge(report, (read_text(folder, "devices.txt") or "the worker listed no device: devices.log says why").splitlines()[-1])
    return report


def case(r):
    return f"{r['kernel']} {r['precision']} {r['shape']} by {r['engine']}"


def table(header, rows):
    """Markdown; columns whose name begins with > are numbers."""
    lines = ["| " + " | ".join(h.lstrip(">") for h in header) + " |", "|" + "|".join("---:" if h.startswith(">") else "---" for h in header) + "|"]
    return lines + ["| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in rows] + [""]


def si(value, unit):
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"


def rate(r):
    """Of a result of a run: its sustained rate and interval, in bytes where it is the memory that works."""
    for field, unit in (("flop_per_s", "FLOP/s"), ("bytes_per_s", "B/s")):
        if r.get(field) is not None and (unit == "FLOP/s") == (r["kernel"] in ("fma", "gemm")):
            half = (r[field + "_hi"] - r[field + "_lo"]) / 2 / r[field] if r[field] else 0
            return si(r[field], unit), f"±{100 * half:.1f}%"
    return "failed", ""


def headline(results):
    """The results that a reader looks for: all but the grid of products."""
    return [r for r in results if r["kernel"] != "gemm" or len(set(r["shape"].split("x"))) == 1]


def markdown(report):
    mark = "EMULATED: " if report["emulated"] else ""
    device = report["device"] or {"model": "no GPU", "device": "", "driver": "", "nvidia_smi": ""}
    lines = [f"# {mark}GPU check on {device['model']}", ""]
    if mark:
        lines += [f"**EMULATED ({report['emulated']}): every figure is one of a cost model; nothing was measured on a GPU.**", ""]
    outcome = {OK: "all that was held against something is met", INCOMPLETE: "a step did not come to its end"}
    outcome |= {WRONG: "wrong results, or a goal was missed", NO_GPU: "no GPU"}
    if mark:
        outcome[OK] = "nothing failed, and there was nothing to hold against a goal"
    lines += [f"{report['date']}, exit code {report['exit_code']}: {outcome[report['exit_code']]}.", ""]
    lines += [f"- **{w}**" for w in report["wrong"]] + [f"- {i}" for i in report["incomplete"]] + [""]
    host = report["host"]
    lines += table(["what", ""], [
        ["GPU", f"{device['model']} {device['device']}"],
        ["CUDA of the driver", device["driver"] or "unknown"],
        ["realflops", report["version"] or "unknown"],
        ["machine", ", ".join(str(host[k]) for k in ("os", "kernel", "arch", "cloud", "instance_type") if host[k])], ["command", "`make gpu-check`"],
    ])  # fmt: skip
    if device["nvidia_smi"]:
        lines += ["```", device["nvidia_smi"], "```", ""]
    lines += [f"## {mark}Steps", ""]
    lines += table(["step", "outcome", ">s", "command"], [
        [s["name"], s["status"] + (s["why"] and f": {s['why']}"), s["seconds"], f"`{s['command']}`" if s["command"] else ""] for s in report["steps"]
    ])  # fmt: skip
    lines += [f"## {mark}Every kernel against its oracle", ""]
    lines += table(["step", "image", ">kernels", ">checks", ">launches", ">failures"], [
        [c["step"], c["image"] + (", thin" if c["thin"] else ""), c["kernels"], c["checks"], c["launches"], len(c["failures"])]
        for c in report["conformance"]
    ])  # fmt: skip
    return "\n".join(lines + peer_lines(report, mark) + run_lines(report, mark)).rstrip() + "\n"


def peer_lines(report, mark):
    peers = report["peers"]
    lines = [f"## {mark}Beside PyTorch", ""]
    if peers is None:
        why = next((s["why"] for s in report["steps"] if s["name"] == "peers"), "")
        return lines + [f"Not compared: {why}.", ""]
    lines += [f"{peers['peer']}. Ratios of rounds in which each side works by turns, about 50 ms each: their median, and its 95% interval.", ""]
    lines += table(["kernel", "precision", "shape", "engine", ">ours", ">PyTorch", ">ratio", ">95%", ">goal", "", "PyTorch's call"], [
        [r["kernel"], r["precision"], r["shape"], r["engine"], si(r["ours"], r["unit"]), si(r["peer"], r["unit"]), f"{r['ratio']:.3f}",
         f"{r['ratio_lo']:.3f}-{r['ratio_hi']:.3f}", "" if r["goal"] is None else f"{r['goal']:.2f}", r["verdict"] or "", r["peer_note"]]
        for r in peers["rows"]
    ])  # fmt: skip
    return lines + [f"- {s['case']}: not compared: {s['why']}" for s in peers["skipped"]] + [""]


def run_lines(report, mark):
    run = report["run"]
    lines = [f"## {mark}Run", ""]
    if run is None:
        return lines + ["It left no results.", ""]
    shown = headline(run["results"])
    lines += [f"Suite {run['run']['suite']}, {run['run']['status']}: {len(run['results'])} results, {len(shown)} shown; run.json has all.", ""]
    header = ["kernel", "precision", "shape", "level", "engine", ">rate", ">95%", ">of limit", ">GHz", ">W", "warnings"]
    return lines + table(header, [run_row(r) for r in shown])


def run_row(r):
    def known(field, text):
        return text.format(r[field]) if r.get(field) else ""

    warnings = ", ".join(w["code"] for w in r["warnings"] if w["code"] != "emulated")
    return [
        r["kernel"], r["precision"], r["shape"], r.get("level") or "", r["engine"], *rate(r), known("of_limit", "{:.0%}"),
        f"{r['clock_hz'] / 1e9:.2f}" if r.get("clock_hz") else "", known("power_w", "{:.0f}"), warnings + known("error", " {}"),
    ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description="Writes report.json and report.md of a GPU check.")
    parser.add_argument("folder")
    parser.add_argument("--emulated", metavar="NODE")
    arguments = parser.parse_args()
    folder = os.path.abspath(arguments.folder)
    report = gather(folder, arguments.emulated)
    with open(os.path.join(folder, "report.json"), "w", encoding="utf-8") as f:
        json.dump(report, f, indent=2)
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as f:
        f.write(markdown(report))
    for text in report["wrong"] + report["incomplete"]:
        print("gpu-check:", text, file=sys.stderr)
    print(os.path.join(folder, "report.md"))
    return report["exit_code"]


if __name__ == "__main__":
    sys.exit(main())
