// The life cycle of signals as an executor's supervisor would write it with node-redis.
//
// node_peer.js SOCKET COUNT: ends when COUNT signals have ended. Per read one pipeline: acknowledges, removes,
// counts, trims.
"use strict";

const { createClient } = require("redis");

const GROUP = "peer";
const BATCH = 1000;
const KEPT = 10000;

function count(totals, name) {
    totals.set(name, (totals.get(name) || 0) + 1);
}

function takeIn(found, open, totals) {
    const done = [], results = [];
    for (const { id, message } of found.trade_signals || []) {
        open.set(message.signal_id, { id, action: message.action });
        count(totals, "received:" + message.action);
    }
    for (const { id, message } of found.trade_results || []) {
        results.push(id);
        count(totals, "result:" + message.status);
        const signal = open.get(message.signal_id);
        if (signal) {
            open.delete(message.signal_id);
            done.push(signal.id);
            count(totals, "processed:" + signal.action);
        }
    }
    return { done, results };
}

function store(client, totals, done, results, kept) {
    const commands = [];
    if (done.length) {
        commands.push(client.xAck("trade_signals", GROUP, done), client.xDel("trade_signals", done));
    }
    for (const [name, value] of totals) {
        commands.push(client.hIncrBy("mt5stated:totals", name, value));
    }
    if (results.length) {
        commands.push(client.xAck("trade_results", GROUP, results));
        kept.push(...results);
        kept.splice(0, Math.max(0, kept.length - KEPT));
        commands.push(client.xTrim("trade_results", "MINID", kept[0]));    // by length, unread ones would go too
    }
    return Promise.all(commands);    // written as one pipeline
}

async function main() {
    const client = createClient({ socket: { path: process.argv[2], tls: false } });
    const wanted = Number(process.argv[3]);
    await client.connect();
    for (const stream of ["trade_signals", "trade_results"]) {
        await client.xGroupCreate(stream, GROUP, "0", { MKSTREAM: true });
    }
    const open = new Map(), kept = [];
    for (let ended = 0; ended < wanted;) {
        const streams = await client.xReadGroup(GROUP, "peer-1",
            [{ key: "trade_signals", id: ">" }, { key: "trade_results", id: ">" }], { COUNT: BATCH, BLOCK: 1000 });
        const found = {}, totals = new Map();
        for (const { name, messages } of streams || []) {
            found[name] = messages;
        }
        const { done, results } = takeIn(found, open, totals);
        await store(client, totals, done, results, kept);
        ended += done.length;
    }
    await client.close();
}

main();
