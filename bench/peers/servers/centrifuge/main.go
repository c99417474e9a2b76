// centrifuge, the library that Centrifugo is made of, as Debian packages its sources; see go.mod
// for all else. No Go module under github.com/centrifugal is to be had here, Centrifugo neither.
//
// Settings are Centrifugo's defaults, which are the library's (DefaultConfig: memory broker, 10 MB
// of queue per client, up to 4 messages in a frame), but for the limit of channels per client;
// anonymous clients, JSON protocol (version 1), no history, presence, join or leave messages, no
// compression, no log. Ticks come by line over TCP straight into node.Publish, without the HTTP
// API that Centrifugo would have to parse them from: to its favour. The version is of March 2021,
// between Centrifugo 2 and 3, so this says little about what Centrifugo 6 costs. Go sets GOMAXPROCS
// to the one core that it may use. No history, so there is no snapshot.
//
// With PEER_TIMER_MS in the environment, ticks are published by a timer: all that came since the
// last turn. This version has no delay of its own before a client's writer writes.

package main

import (
	"bufio"
	"bytes"
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
)

func main() {
	config := centrifuge.DefaultConfig
	config.ClientChannelLimit = 1000
	node, err := centrifuge.New(config)
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	go takeTicks("127.0.0.1:"+os.Args[2], node)
	anyOrigin := func(*http.Request) bool { return true }
	handler := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{CheckOrigin: anyOrigin})
	http.Handle("/connection/websocket", handler)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}

type tick struct {
	symbol  string
	message []byte
}

// A timer holds ticks back until its next turn.
type timer struct {
	lock sync.Mutex
	due  []tick
}

func (t *timer) put(each tick) {
	t.lock.Lock()
	t.due = append(t.due, each)
	t.lock.Unlock()
}

func (t *timer) run(every time.Duration, publish func(tick)) {
	for range time.Tick(every) {
		t.lock.Lock()
		came := t.due
		t.due = nil
		t.lock.Unlock()
		for _, each := range came {
			publish(each)
		}
	}
}

// takeTicks publishes each line, a symbol, a space and the message, to the symbol's channel.
func takeTicks(address string, node *centrifuge.Node) {
	publish := func(each tick) {
		if _, err := node.Publish(each.symbol, each.message); err != nil {
			log.Fatal(err)
		}
	}
	take := publish
	if ms, err := strconv.ParseFloat(os.Getenv("PEER_TIMER_MS"), 64); err == nil && ms > 0 {
		held := &timer{}
		go held.run(time.Duration(ms*float64(time.Millisecond)), publish)
		take = held.put
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			lines := bufio.NewScanner(connection)
			for lines.Scan() {
				symbol, message, _ := bytes.Cut(lines.Bytes(), []byte(" "))
				take(tick{string(symbol), bytes.Clone(message)})
			}
		}()
	}
}
