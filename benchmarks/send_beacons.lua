-- wrk's script: posts bodies of so many beacons, each of a new installation and of one of a thousand tenants.
local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local beacon = '{"build":"sdk@1.2.3","tenant":"tenant-%d","installation":"%sA","outcome":"%s"}'
local headers = {["Content-Type"] = "text/plain;charset=UTF-8"}
local count

function init(arguments)
   count = tonumber(arguments[1])
   math.randomseed(os.time())
end

local function drawn()
   local letters = {}
   for place = 1, 21 do
      local at = math.random(1, 64)
      letters[place] = alphabet:sub(at, at)
   end
   return table.concat(letters)
end

function request()
   local beacons = {}
   for place = 1, count do
      local outcome = math.random(1, 100) == 1 and "errored" or "loaded"
      beacons[place] = string.format(beacon, math.random(0, 999), drawn(), outcome)
   end
   return wrk.format("POST", "/v1/beacon", headers, '{"beacons":[' .. table.concat(beacons, ",") .. "]}")
end
