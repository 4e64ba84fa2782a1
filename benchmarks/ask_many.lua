-- wrk's script: asks for random ones of the URL paths that a pattern makes of the numbers below a count.
local request_text, count

function init(arguments)
   request_text = "GET " .. arguments[1] .. " HTTP/1.1\r\nHost: cdn.example\r\nAccept-Encoding: br, gzip\r\n\r\n"
   count = tonumber(arguments[2])
   math.randomseed(os.time())
end

function request()
   return string.format(request_text, math.random(0, count - 1))
end
