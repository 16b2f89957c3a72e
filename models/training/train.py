"""Training of the frame model: resumable, on the CPU or with CUDA."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F
from tqdm import tqdm

from .dataset import Batch, batches
from .labelled import Labelled
from .net import FrameModel

#: What each part of the loss weighs: verdict, pair, heat map, recapture.
WEIGHTS = {"forged": 1.0, "pair": 0.5, "heat": 1.0, "recaptured": 0.5}


def _ahead(source: Iterator[Batch], depth: int = 3) -> Iterator[Batch]:
    """Reads ahead on a thread."""
    waiting: queue.Queue = queue.Queue(depth)
    end = object()

    def run() -> None:
        for item in source:
            waiting.put(item)
        waiting.put(end)
    threading.Thread(target=run, name="batches", daemon=True).start()
    while (item := waiting.get()) is not end:
        yield item


def _with_labelled(loss: torch.Tensor, net: FrameModel, data: Labelled, number: int, device: str,
                   rng: np.random.Generator) -> torch.Tensor:
    """The loss with that of some of the user's own labelled crops added."""
    some = rng.integers(len(data.labels), size=number)
    x = torch.from_numpy(data.pictures[some].transpose(0, 3, 1, 2).copy()).to(device).float() / 255
    if rng.random() < 0.5:
        x = x.flip(3)
    labels = torch.from_numpy(data.labels[some]).to(device)
    forged, again, _ = net(x.contiguous(memory_format=torch.channels_last))
    # A recaptured face may show a forged one: it says nothing of that.
    known = labels != 2
    if known.any():
        loss = loss + F.binary_cross_entropy_with_logits(forged[known], (labels[known] == 1).float())
    return loss + WEIGHTS["recaptured"] * F.binary_cross_entropy_with_logits(again, (labels == 2).float())


def _losses(net: FrameModel, batch: Batch, device: str) -> tuple[torch.Tensor, dict[str, float]]:
    x = batch.pictures.to(device).float() / 255
    x = x.contiguous(memory_format=torch.channels_last)
    n = batch.pairs
    forged, again, heat = net(x)
    truth = torch.cat([torch.zeros(n), torch.ones(n)]).to(device)
    parts = {"forged": F.binary_cross_entropy_with_logits(forged[:2 * n], truth),
             "pair": F.softplus(forged[:n] - forged[n:2 * n]).mean()}
    cells = torch.cat([torch.zeros_like(batch.masks), batch.masks]).to(device)
    weight = 1 + 3 * cells
    parts["heat"] = (F.binary_cross_entropy_with_logits(heat[:2 * n], cells, reduction="none") * weight).mean()
    medium = torch.cat([torch.zeros(2 * n), torch.ones(len(x) - 2 * n)]).to(device)
    parts["recaptured"] = F.binary_cross_entropy_with_logits(again, medium)
    total = sum(WEIGHTS[k] * v for k, v in parts.items())
    return total, {k: float(v.detach()) for k, v in parts.items()}


@torch.inference_mode()
def validated(net: FrameModel, folder: Path, device: str) -> dict[str, float]:
    """AUC and paired accuracy on held-out people, over all and by method."""
    net.eval()
    forged, again, what = [], [], []
    genuine = []
    for batch in batches(folder, 32, None):
        x = (batch.pictures.to(device).float() / 255).contiguous(memory_format=torch.channels_last)
        f, r, _ = (v.cpu().numpy() for v in net(x))
        n = batch.pairs
        genuine.append(np.stack([f[:n], r[:n]]))
        forged.append(f[n:2 * n])
        again.append(r[2 * n:])
        what += batch.what
    g, f, r = np.concatenate(genuine, 1), np.concatenate(forged), np.concatenate(again)

    def auc(a: np.ndarray, b: np.ndarray) -> float:
        return float(roc_auc_score(np.r_[np.zeros(len(a)), np.ones(len(b))], np.r_[a, b])) if len(a) and len(b) else float("nan")
    out = {"auc": auc(g[0], f), "paired": float((f > g[0]).mean()), "auc_recaptured": auc(g[1], r)}
    for method in sorted({w["method"] for w in what}):
        mine = np.array([w["method"] == method for w in what])
        out[f"auc_{method}"] = auc(g[0], f[mine])
    net.train()
    return out


def plot(history: list[dict], path: Path) -> None:
    """Loss and validation curves."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    steps = [h["step"] for h in history]
    for key in WEIGHTS:
        left.plot(steps, [h[key] for h in history], label=key)
    left.set(xlabel="step", ylabel="loss", title="training")
    left.legend()
    for key in [k for k in history[-1] if k.startswith("auc") or k == "paired"]:
        right.plot(steps, [h.get(key, np.nan) for h in history], label=key)
    right.set(xlabel="step", ylim=(0.4, 1.0), title="held-out people")
    right.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def train(training: Path, validation: Path, out: Path, steps: int, pairs: int = 16, rate: float = 2e-3,
          device: str = "cpu", every: int = 200, labelled: Labelled | None = None, **options: object) -> FrameModel:
    """Trains up to `steps`, going on from `out/checkpoint.pt` if there is one."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    net = FrameModel(**options).to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    done, history, checkpoint = 0, [], out / "checkpoint.pt"
    if checkpoint.is_file():
        held = torch.load(checkpoint, weights_only=False)
        if held["options"] != net.options or held["steps"] != steps:
            raise ValueError(f"{checkpoint} is of another network or plan: remove it or choose another folder")
        net.load_state_dict(held["net"])
        optimiser.load_state_dict(held["optimiser"])
        schedule.load_state_dict(held["schedule"])
        done, history = held["step"], held["history"]
    # The mean of the last weights generalises better than the last ones.
    mean = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99), use_buffers=True)
    if checkpoint.is_file():
        mean.load_state_dict(held["mean"])
    rng, sums = np.random.default_rng(done), {}
    bar = tqdm(total=steps, initial=done, desc="training", unit="step")
    stream = _ahead(itertools.chain.from_iterable(batches(training, pairs, 1000 + done + epoch) for epoch in itertools.count()))
    for batch in stream:
        if done >= steps:
            break
        loss, parts = _losses(net, batch, device)
        if labelled is not None:
            loss = _with_labelled(loss, net, labelled, pairs, device, rng)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        mean.update_parameters(net)
        done += 1
        bar.update()
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + value
        if done % every == 0 or done == steps:
            since = done - (history[-1]["step"] if history else 0)
            row = {"step": done, **{k: v / since for k, v in sums.items()}, **validated(mean.module, validation, device)}
            sums = {}
            history.append(row)
            bar.set_postfix({k: f"{row[k]:.3f}" for k in ("forged", "auc", "paired")})
            (out / "history.json").write_text(json.dumps(history, indent=1))
            plot(history, out / "curves.png")
            partial = checkpoint.with_suffix(".part")
            torch.save({"net": net.state_dict(), "mean": mean.state_dict(), "optimiser": optimiser.state_dict(),
                        "schedule": schedule.state_dict(), "step": done, "steps": steps, "history": history,
                        "options": net.options}, partial)
            partial.rename(checkpoint)
    bar.close()
    return mean.module.eval()
