// The life cycle of signals as an executor's supervisor would write it with redigo.
//
// redigo_peer SOCKET COUNT: ends when COUNT signals have ended. Per read one pipeline: acknowledges, removes,
// counts, trims.
package main

import (
	"log"
	"os"
	"strconv"

	"github.com/gomodule/redigo/redis"
)

const (
	group = "peer"
	batch = 1000
	kept  = 10000
)

type signal struct {
	entry, action string
}

type entry struct {
	id     string
	fields map[string]string
}

type supervisor struct {
	conn   redis.Conn
	open   map[string]signal
	totals map[string]int64
	newest []string // results that were handled: a ring
	ended  int64
	seen   int
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func entriesOf(reply interface{}) []entry {
	values, err := redis.Values(reply, nil)
	check(err)
	entries := make([]entry, 0, len(values))
	for _, value := range values {
		pair, err := redis.Values(value, nil)
		check(err)
		id, err := redis.String(pair[0], nil)
		check(err)
		fields, err := redis.StringMap(pair[1], nil)
		check(err)
		entries = append(entries, entry{id, fields})
	}
	return entries
}

func (s *supervisor) read() map[string][]entry {
	streams, err := redis.Values(s.conn.Do("XREADGROUP", "GROUP", group, "peer-1", "COUNT", batch, "BLOCK", 1000,
		"STREAMS", "trade_signals", "trade_results", ">", ">"))
	found := map[string][]entry{}
	if err == redis.ErrNil {
		return found
	}
	check(err)
	for _, stream := range streams {
		pair, err := redis.Values(stream, nil)
		check(err)
		name, err := redis.String(pair[0], nil)
		check(err)
		found[name] = entriesOf(pair[1])
	}
	return found
}

func (s *supervisor) takeIn(found map[string][]entry) (done, results redis.Args) {
	for _, e := range found["trade_signals"] {
		s.open[e.fields["signal_id"]] = signal{e.id, e.fields["action"]}
		s.totals["received:"+e.fields["action"]]++
	}
	for _, e := range found["trade_results"] {
		results = append(results, e.id)
		s.newest[s.seen%kept] = e.id
		s.seen++
		s.totals["result:"+e.fields["status"]]++
		if ended, ok := s.open[e.fields["signal_id"]]; ok {
			delete(s.open, e.fields["signal_id"])
			done = append(done, ended.entry)
			s.totals["processed:"+ended.action]++
		}
	}
	return done, results
}

func (s *supervisor) store(done, results redis.Args) {
	sent := 0
	send := func(command string, args ...interface{}) {
		check(s.conn.Send(command, args...))
		sent++
	}
	if len(done) > 0 {
		send("XACK", append(redis.Args{"trade_signals", group}, done...)...)
		send("XDEL", append(redis.Args{"trade_signals"}, done...)...)
	}
	for name, count := range s.totals {
		send("HINCRBY", "mt5stated:totals", name, count)
		delete(s.totals, name)
	}
	if len(results) > 0 {
		send("XACK", append(redis.Args{"trade_results", group}, results...)...)
		if s.seen > kept { // by length, unread ones would go too
			send("XTRIM", "trade_results", "MINID", s.newest[s.seen%kept])
		}
	}
	check(s.conn.Flush())
	for ; sent > 0; sent-- {
		_, err := s.conn.Receive()
		check(err)
	}
	s.ended += int64(len(done))
}

func main() {
	wanted, err := strconv.ParseInt(os.Args[2], 10, 64)
	check(err)
	conn, err := redis.Dial("unix", os.Args[1])
	check(err)
	defer conn.Close()
	for _, stream := range []string{"trade_signals", "trade_results"} {
		_, err := conn.Do("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
		check(err)
	}
	s := &supervisor{conn: conn, open: map[string]signal{}, totals: map[string]int64{}, newest: make([]string, kept)}
	for s.ended < wanted {
		done, results := s.takeIn(s.read())
		s.store(done, results)
	}
}
