// SPDX-License-Identifier: MIT

// goclient URL MODE N CONCURRENT: net/http as programs use it, rightly and wrongly. It makes N requests in bursts of CONCURRENT, with
// PAUSE between them (a Go duration, from the environment), then lingers for LINGER and exits.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// What is never read must not be collected either.
var unread = make(chan *http.Response, 1<<16)

func once(mode, url string, client *http.Client) error {
	if mode == "transport-each" {
		client = &http.Client{Transport: &http.Transport{}}
	}
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	switch mode {
	case "never-read":
		unread <- r
		return nil
	case "close-unread":
		return r.Body.Close()
	}
	if _, err = io.Copy(io.Discard, r.Body); err != nil || mode == "never-close" {
		return err
	}
	return r.Body.Close()
}

func duration(name string) time.Duration {
	d, _ := time.ParseDuration(os.Getenv(name))
	return d
}

func main() {
	url, mode := os.Args[1], os.Args[2]
	n, _ := strconv.Atoi(os.Args[3])
	concurrent, _ := strconv.Atoi(os.Args[4])
	transport := http.DefaultTransport.(*http.Transport).Clone()
	switch mode {
	case "pool":
		transport.MaxIdleConnsPerHost = concurrent
	case "no-keep-alive":
		transport.DisableKeepAlives = true
	}
	client := &http.Client{Transport: transport}
	for ; n > 0; n -= concurrent {
		var burst sync.WaitGroup
		for i := 0; i < concurrent; i++ {
			burst.Add(1)
			go func() {
				defer burst.Done()
				if err := once(mode, url, client); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}()
		}
		burst.Wait()
		time.Sleep(duration("PAUSE"))
	}
	time.Sleep(duration("LINGER"))
}
