package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
)

// maxExact is where the server's numbers, which are doubles, stop being exact.
const maxExact = 1 << 53

// Sync implements quota.Store. When the connection breaks it asks a second
// time, within the same deadline: the same report is never counted twice.
//
// A server that has lost rows (it was emptied, restarted from an older copy, or
// replaced by another one) grants nothing for two heartbeats, while all replicas
// write their rows again. What replicas that left had spent is lost with the
// server's rows of them.
func (s *Store) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	if err := ctx.Err(); err != nil {
		return quota.Reply{}, err
	}
	ctx, cancel, limit := s.withTimeout(ctx)
	defer cancel()
	here := replicaDay{r.Day, r.Replica}
	s.mu.Lock()
	epoch, answered := s.epoch, s.answered[here]
	s.mu.Unlock()
	args, ok := s.arguments(r, epoch, answered, false)
	if !ok {
		return quota.Reply{}, ErrTooLarge
	}
	wait := s.copyWait(r, limit)
	answer, copied, err := s.askAndWait(ctx, wait, s.sync, s.keys(r.Day), args...)
	if err != nil { // nobody waits for a replica then
		copied = errReplicaLate
	}
	if redis.HasErrorPrefix(err, "WRONGTYPE") { // another program's key
		args, _ = s.arguments(r, epoch, answered, true)
		answer, err = s.ask(ctx, s.sync, s.keys(r.Day), args...)
	}
	if disconnected(err) && ctx.Err() == nil {
		answer, err = s.ask(ctx, s.sync, s.keys(r.Day), args...)
	}
	if err != nil {
		return quota.Reply{}, s.failed(err, limit)
	}
	switch {
	case len(answer) == 1 && answer[0] == "stale":
		return quota.Reply{}, quota.ErrStale
	case len(answer) == 1 && answer[0] == "beyond":
		return quota.Reply{}, ErrTooLarge
	}
	s.doubtAll(answer, len(r.Requests))
	reply, epoch, err := decode(answer, len(r.Requests))
	if err != nil {
		return quota.Reply{}, fmt.Errorf("redisstore: %w", err)
	}
	if reply.Block, err = parseBlock(answer[6], reply.Time); err != nil {
		s.doubt(s.prefix+"latch", "", answer[6])
	}
	s.remember(here, r, epoch)
	s.copied(answer[8] != "0", wait > 0, copied, reply.Granted)
	return reply, nil
}

// remember keeps what the server must still know when it is asked next. If it does
// not, it has lost rows.
func (s *Store) remember(here replicaDay, r quota.Report, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = max(s.epoch, epoch)
	s.answered[here] = r.Seq
	for other := range s.answered {
		if other.day < r.Day-3 || r.Leave && other.replica == r.Replica && other.day < r.Day {
			delete(s.answered, other)
		}
	}
}

// keys are those of sync.lua.
func (s *Store) keys(d quota.Day) []string {
	day := s.prefix + d.String() + ":"
	return []string{
		s.prefix + "epoch", s.prefix + "latch", s.prefix + "days",
		day + "holders", day + "seen", day + "rows", day + "sums", day + "records", day + "history",
		day + "external", day + "hours", day + "silent", day + "learned",
	}
}

// arguments are those of sync.lua, without the first two, which ask adds. repairs
// says to put aside what is of another type than it should be. ok is
// false if a figure is too large for the server to count exactly.
func (s *Store) arguments(r quota.Report, epoch, answered uint64, repairs bool) (args []any, ok bool) {
	ok = r.Seq < maxExact
	add := func(all ...any) { args = append(args, all...) }
	figures := func(all ...int64) {
		for _, n := range all {
			ok = ok && n < maxExact && n > -maxExact
			args = append(args, n)
		}
	}
	leave, change, at, until := 0, "", "", ""
	if r.Leave {
		leave = 1
	}
	switch {
	case r.Block.Set.Set:
		change, until = "set", moment(r.Block.Set.Until)
		if !r.Block.Set.At.IsZero() {
			at = moment(r.Block.Set.At)
		}
	case r.Block.Lift:
		change = "open"
	}
	add(s.prefix+"events", int64(r.Day), string(r.Replica), r.Seq, leave, answered, epoch, change, at, until)
	for _, d := range []time.Duration{settleTime, quota.ReplicaTimeout, dayLife, historyLife, epochLife} {
		add(d.Milliseconds())
	}
	figures(int64(r.External.Spent), int64(r.External.Released), r.External.At.Unix(), int64(r.External.Billed))
	repair := 0
	if repairs {
		repair = 1
	}
	add(len(r.Requests), len(r.Records), len(r.Hours), repair)
	for _, c := range r.Requests {
		add(string(c.Budget))
		figures(int64(c.Limit), int64(c.Spent), int64(c.Held), int64(c.Reserved))
		month := 0
		if c.Month {
			month = 1
		}
		figures(int64(c.Min), int64(c.Want), int64(c.Waiting), int64(month))
	}
	for _, rec := range r.Records {
		add(rec.Model + separator + rec.Client)
		figures(rec.Calls, int64(rec.Reported), int64(rec.Priced), int64(rec.Estimated))
		figures(int64(rec.Peak), 0, rec.Silent, int64(rec.Table), int64(rec.Paid)) // 0: former versions learned it
		figures(int64(rec.Prompt), int64(rec.Output), rec.ByDefault, rec.Undocumented, rec.UndocumentedCalls)
	}
	for _, h := range r.Hours {
		add(h.Hour)
		figures(int64(h.Spent))
	}
	return args, ok
}

// separator is between a record's model and client, which do not contain it.
const separator = "\x00"

// head is how many values of the answer of sync.lua are before those of the requests.
const head = 9

// decode reads the answer of sync.lua, but for the block and what is behind the requests.
func decode(answer []string, requests int) (r quota.Reply, epoch uint64, err error) {
	if len(answer) < head+requests || answer[0] != "kept" {
		return r, 0, fmt.Errorf("%d values came back for %d requests", len(answer), requests)
	}
	seconds, err1 := strconv.ParseInt(answer[1], 10, 64)
	micros, err2 := strconv.ParseInt(answer[2], 10, 64)
	epoch, err3 := strconv.ParseUint(answer[3], 10, 64)
	replicas, err4 := strconv.Atoi(answer[5])
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return r, 0, err
		}
	}
	r = quota.Reply{
		Granted: make([]quota.Neurons, requests), Balances: make([]quota.Balance, requests),
		Time: time.Unix(seconds, micros*1000), Joined: answer[4] == "1", Replicas: replicas,
	}
	external, err := figures(answer[7], 4)
	if err != nil {
		return r, 0, err
	}
	if external[2] != 0 {
		r.External = quota.External{
			Spent: external[0], Released: external[1], At: time.Unix(int64(external[2]), 0).UTC(), Billed: external[3],
		}
	}
	for i := range requests {
		n, err := figures(answer[head+i], 8)
		if err != nil {
			return r, 0, err
		}
		r.Granted[i] = n[0]
		r.Balances[i] = quota.Balance{
			Limit: n[1], Spent: n[2], Held: n[3], Reserved: n[4], Lost: n[5], Free: n[6], Waiting: n[7],
		}
	}
	return r, epoch, nil
}

// maxBlock is longer than any block lasts: until the reset.
const maxBlock = 2 * 24 * time.Hour

// parseBlock reads a block as the server keeps it; now is the server's time.
func parseBlock(text string, now time.Time) (b quota.Block, err error) {
	if text == "" {
		return b, nil
	}
	at, until, _ := strings.Cut(text, " ")
	b.Set = true
	if b.At, err = parseMoment(at); err != nil {
		return quota.Block{}, err
	}
	if b.Until, err = parseMoment(until); err != nil {
		return quota.Block{}, err
	}
	if b.Until.Sub(now) > maxBlock {
		return quota.Block{}, errors.New("it ends on a later day")
	}
	return b, nil
}

// figures reads want amounts with spaces between them.
func figures(text string, want int) ([]quota.Neurons, error) {
	words := strings.Fields(text)
	if len(words) != want {
		return nil, fmt.Errorf("%d figures came back, not %d", len(words), want)
	}
	all := make([]quota.Neurons, want)
	for i, word := range words {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, err
		}
		all[i] = quota.Neurons(n)
	}
	return all, nil
}

// moment writes t as seconds and nanoseconds since 1970.
func moment(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

func parseMoment(text string) (time.Time, error) {
	before, after, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(before, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	nanos, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(seconds, nanos).UTC(), nil
}
